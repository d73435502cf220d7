"""Inputs at the edge of what can be sent, the laws that must hold, and the smallest case that breaks one."""
