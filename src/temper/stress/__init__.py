"""Non-adversarial conditions of rising severity: one stressor per file, `apply(x, severity 1..5, rng) -> x'`."""
