"""Defences: each turns a target and its training data into a hardened target, and promises nothing unmeasured."""
