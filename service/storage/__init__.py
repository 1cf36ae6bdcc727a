"""The database, the data folder, and the stores of datasets and models in them."""
