"""Stress: planted weaknesses and peers, one file per question."""
