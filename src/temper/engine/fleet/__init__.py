"""A portfolio of systems assessed: whose turn is when, where it is carried out, and what is done about what fails."""
