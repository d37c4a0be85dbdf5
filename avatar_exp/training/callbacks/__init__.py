"""One concern a file."""
