"""What is done when something is wrong: playbooks of steps that say first what they would change."""
