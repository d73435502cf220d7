"""One layer per file, in front of a served table model or behind it."""
