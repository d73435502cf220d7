"""What weather, optics, sensors and codecs do to pictures: one corruption per file, `apply(x, severity 1..5, rng)`."""
