"""Fleets: what two workers gain over one, and what giving out a turn costs."""
