"""Demonstrations, datasets, flow-matching training, evaluation and reports."""
