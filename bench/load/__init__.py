"""The load generator and the search for a service's limits, on servers whose truth is known."""
