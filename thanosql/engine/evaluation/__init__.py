"""Evaluation: what a model heard and what was said in; figures, intervals, comparisons and tables out."""
