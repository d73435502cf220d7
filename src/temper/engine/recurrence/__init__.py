"""Rows of an incident, kept as cases that every model after it is asked."""
