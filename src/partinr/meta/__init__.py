"""Learning to learn: a start from which a new signal is fitted in a few gradient steps."""
