"""What monitors see, how often they are wrong, and what they cost, beside their peers."""
