"""Evaluation: hypotheses and references in; figures, intervals, comparisons and tables out."""
