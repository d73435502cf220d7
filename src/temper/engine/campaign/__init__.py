"""Campaigns against a table model: techniques chosen turn by turn, played on a field, every answer kept."""
