"""Evasion: a changed input that the model judges wrongly."""
