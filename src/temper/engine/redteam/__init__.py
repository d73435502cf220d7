"""The red team: strategies at work on an assistant, all at once, with every answer kept."""
