"""Extraction against peers."""
