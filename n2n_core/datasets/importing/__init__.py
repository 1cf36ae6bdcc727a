"""Import of datasets from archives, folders and arrays."""
