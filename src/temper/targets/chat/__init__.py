"""Assistants as somebody can reach them: one adapter per protocol, and the one line they all talk through."""
