"""Compare denoisers on pictures whose clean versions are known: figures, a table, a contact sheet."""
