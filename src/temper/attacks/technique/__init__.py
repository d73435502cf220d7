"""Techniques of campaigns: moves on a field, one per file."""
