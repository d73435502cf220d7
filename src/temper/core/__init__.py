"""The nouns: standard library and NumPy only, no files, no network."""
