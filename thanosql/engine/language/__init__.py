"""The language: the text of statements in, their dataclasses and options out."""
