"""Ways of writing a text that another reader undoes: bases, ciphers, alphabets, hidden characters, markup, spacing.

Attacks write in them, and the guard reads what was written: both sides share one table.
"""
