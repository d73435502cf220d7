"""Validation beside its peers, intervals that cover, and how long they take."""
