"""Threats: the catalogue, and which of it applies to a system because of which answer."""
