"""The audit ledger: who asked, what was decided and by what; nothing said is lost, and no change stays unseen."""
