"""Load on a service: requests that leave when they are due, and what became of them."""
