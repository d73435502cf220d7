"""Pure array mathematics: no files, no frameworks at import, no state."""
