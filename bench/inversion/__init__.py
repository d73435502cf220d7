"""Membership attacks beside what other tools run."""
