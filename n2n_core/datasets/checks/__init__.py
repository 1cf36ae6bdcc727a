"""Checks of a dataset before training: statistics, alignment, evidence."""
