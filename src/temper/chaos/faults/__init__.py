"""One fault per file: on the wire, in the scores, on the host."""
