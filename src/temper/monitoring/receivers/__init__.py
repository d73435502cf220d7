"""Whom alerts are sent to: one receiver per file."""
