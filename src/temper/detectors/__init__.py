"""What watches a model in service, row by row, without knowing the truth."""
