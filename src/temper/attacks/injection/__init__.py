"""Prompt injection: orders in the words of a user or of an outsider, and ways of looking for those that are obeyed."""
