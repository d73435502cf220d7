"""Judges decide success with the truth in hand; the accused never does."""
