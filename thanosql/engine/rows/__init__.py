"""Rows: a snapshot's rows in; audio facts, findings, texts and training sets out."""
