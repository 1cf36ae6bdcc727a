"""Settings, read from N2N_* environment variables."""
