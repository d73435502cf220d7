"""Where runs, finished tasks and findings are kept: SQLite, with arrays beside it by their content."""
