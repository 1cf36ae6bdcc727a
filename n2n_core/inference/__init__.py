"""Everything that runs a trained network on pictures of any size."""
