"""Attacks that ask the model about the people in its training data."""
