"""What stands around a served table model: limits, breaker, fallbacks."""
