"""Inputs at the edge of what a model or service can be sent, the laws it must keep, and the smallest case that shows."""
