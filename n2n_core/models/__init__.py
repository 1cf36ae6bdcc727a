"""Architectures, their networks, and the files that hold their weights."""
