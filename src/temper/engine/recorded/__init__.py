"""Model-free replay: recorded calls of users and of attackers, put through a defence without asking a model."""
