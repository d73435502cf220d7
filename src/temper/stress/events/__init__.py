"""Unusual behaviour over time: each scenario rewrites the history, and every column that follows is computed again."""
