"""Stress against what is known to be there, what it costs, and peers."""
