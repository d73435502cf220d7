"""Fuzzing of a model or a service as a command does it: rows from temper.yaml, cases kept, shown again."""
