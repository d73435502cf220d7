"""A bank for a quarter: customers, fraudsters who adapt for money, and all that stands between them. SIMULATED."""
