"""The engine: from the text of a statement to its result."""
