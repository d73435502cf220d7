"""The bank's simulation against its own truth, on two worlds of different make. SIMULATED."""
