"""Datasets: import pictures, read parts of them, and check them before training."""
