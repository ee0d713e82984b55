"""PostgreSQL: SQL in pieces in, rows, snapshots and replaced tables out."""
