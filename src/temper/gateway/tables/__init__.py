"""The data plane of a table model: bytes in, a guarded decision out."""
