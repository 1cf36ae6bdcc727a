"""Child processes: starting them, asking them for work, and limiting what they take."""
