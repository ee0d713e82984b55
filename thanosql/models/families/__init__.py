"""One folder a family: what is true of its models alone."""
