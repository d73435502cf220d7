"""Scenario questions on the concepts of the lifecycle, asked in the terminal and printed under the pages."""
