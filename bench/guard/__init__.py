"""What the guard catches, lets pass and costs."""
