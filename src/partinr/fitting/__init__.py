"""Fitting a signal: what to train, from what, until when."""
