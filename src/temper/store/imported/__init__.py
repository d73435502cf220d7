"""Results of other red-team tools, read into one table: a file per format."""
