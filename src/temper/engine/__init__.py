"""Plan, run, resume, spread over workers."""
