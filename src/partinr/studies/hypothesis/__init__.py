"""The exponential-increase hypothesis, put to the test: sweeps over signals, and what they say."""
