"""Datasets: import from what people have, read in parts, check before training."""
