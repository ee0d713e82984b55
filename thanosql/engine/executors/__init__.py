"""Where the rows are worked on."""
