"""What is watched once a model is in service, window by window, and what is told about it."""
