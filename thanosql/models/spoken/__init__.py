"""Texts with figures, signs and abbreviations in, the same as they are spoken out: a module a language, and their readings."""
