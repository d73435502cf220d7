"""YAML in, core nouns out: unknown keys are refused with a suggestion and the line."""
