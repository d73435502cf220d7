"""Stress against what is known to be there, and what it costs."""
