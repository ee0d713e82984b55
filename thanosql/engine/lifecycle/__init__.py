"""How a statement ends: what stopped it and what that leaves behind, and its record in the log."""
