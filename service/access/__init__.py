"""API keys, the scopes that endpoints require, and quotas."""
