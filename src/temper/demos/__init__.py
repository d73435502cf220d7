"""Shipped examples on SIMULATED data, with everything a whole loop needs: rows, schema, model, description."""
