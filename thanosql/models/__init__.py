"""Families of models; no SQL is known here."""
