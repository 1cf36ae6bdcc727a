"""Denoisers side by side on pictures whose clean versions are known: figures, a table, a contact sheet."""
