"""Campaigns: what chained attacks find beside what the same queries find otherwise."""
