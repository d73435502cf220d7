"""The gateway: what stands between clients and a model in service."""
