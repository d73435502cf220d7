"""Evasion against its peers: one file per comparison."""
