"""Backups of what a gateway keeps: made while it runs, whole or not there, and held against their digests."""
