"""Is this an answer a model gives?"""
