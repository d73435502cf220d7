"""Faults of the numbers a model answers."""
