"""Faults of an exchange between a service and what it asks."""
