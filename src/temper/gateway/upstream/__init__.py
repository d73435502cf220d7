"""A model behind HTTP/1.1: one fixed address, a pool of connections, answers held against what was asked."""
