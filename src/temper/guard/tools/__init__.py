"""What an assistant may call, and where the values in a call come from."""
