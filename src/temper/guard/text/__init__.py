"""What the layers that read text share: fresh messages, readings, rules, the linear model and its corpus."""
