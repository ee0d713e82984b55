"""Connectionist temporal classification: what is true of every CTC model. No torch at import."""
