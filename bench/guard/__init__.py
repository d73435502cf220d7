"""Comparisons of layers of the guard."""
