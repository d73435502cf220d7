"""Model files against peers."""
