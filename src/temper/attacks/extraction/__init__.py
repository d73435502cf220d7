"""Attacks that copy the model from its answers."""
