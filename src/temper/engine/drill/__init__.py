"""Drills: faults on purpose, under load, with what they did to those who asked."""
