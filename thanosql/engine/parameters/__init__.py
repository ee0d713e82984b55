"""Parameters whose values are no single values: lists, and tables of the caller's."""
