"""The bank's quarter (SIMULATED)."""
