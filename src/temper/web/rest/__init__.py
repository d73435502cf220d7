"""The control plane for people's programs: JSON under /api/v1, described by an OpenAPI document made from its table."""
