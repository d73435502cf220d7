"""From an injection to a tool that is called for strangers: the moves of a campaign against an assistant."""
