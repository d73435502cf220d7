"""What the guard stops, what it costs, and what it stops that is harmless."""
