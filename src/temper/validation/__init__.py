"""Properties measured without an adversary: one check per file, `measure(scene) -> Measurements`; and the gate."""
