"""What keeps a served model available: state in memory, bounded; no I/O, no locks, the clock is passed in."""
