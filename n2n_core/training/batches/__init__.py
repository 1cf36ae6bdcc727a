"""Batches for training: crops, noisy copies, sub-sampled pairs."""
