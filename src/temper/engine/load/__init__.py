"""Load on a service: what is sent, in which order it is tried, and what is said of it."""
