"""Signs of somebody at work against the model in a window: one comparison per file, like those of drift."""
