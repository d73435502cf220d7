"""Every layer of a guarded table model asked of every attempt, and what that says of the whole."""
