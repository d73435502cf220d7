"""Poisoning: attacks and screens."""
