"""Predictions: rows and a task in, outcomes out; the cache that an interrupted statement resumes from; word tables."""
