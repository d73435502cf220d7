"""The guard: layers between an assistant and the world."""
