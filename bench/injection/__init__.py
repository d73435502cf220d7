"""Prompt injection, measured on stand-ins: every figure here is SIMULATED."""
