"""Attacks on the training data: what a poisoned share of it does to the model fitted next."""
