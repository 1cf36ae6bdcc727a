"""Run a trained network on pictures of any size."""
