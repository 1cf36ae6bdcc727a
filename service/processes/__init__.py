"""Child processes: how they are started, limited and asked for work."""
