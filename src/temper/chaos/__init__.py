"""Faults on purpose at the boundary of a model and of what it depends on: scoped, seeded, over by themselves."""
