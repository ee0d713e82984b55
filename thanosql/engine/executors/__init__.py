"""Where the rows are worked on: in this process (`local`), or wherever another executor takes them."""
