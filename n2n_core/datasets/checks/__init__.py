"""Checks of a dataset before training: what is wrong with it, and how to fix that."""
