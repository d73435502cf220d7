"""Faults of a process and of the machine it runs on."""
