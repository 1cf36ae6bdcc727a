"""Import of datasets from archives, folders, picture files and arrays."""
