"""Evidence: what a changed byte does, and how long a long ledger takes to verify."""
