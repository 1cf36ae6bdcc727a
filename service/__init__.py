"""The REST service over n2n_core."""
