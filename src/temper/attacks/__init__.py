"""Attacks, one per file; the path is the name."""
