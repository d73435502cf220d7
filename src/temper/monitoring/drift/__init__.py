"""How a window differs from the reference: one comparison per file."""
