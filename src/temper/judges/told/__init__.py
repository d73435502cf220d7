"""Judges of conversations: each sees one kind of success in what an assistant said and called, without a model."""
