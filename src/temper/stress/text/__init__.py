"""What typing, scanning, copying and cutting do to texts: one corruption per file, `apply(x, severity 1..5, rng)`."""
