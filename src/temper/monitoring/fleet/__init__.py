"""How the systems of a portfolio stand: `stands` says it from what is known, `look` reads that, `kept` spares looks."""
