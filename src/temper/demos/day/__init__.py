"""A SIMULATED day at the fraud demo's gateway: quiet, other customers, a campaign against the model, and its failure.

Customers, the attacker, the analyst and the clock are simulated. What is said of the day is not: windows are judged by
the monitor, payments answered by the gateway, and what is done about it are playbooks.
"""
