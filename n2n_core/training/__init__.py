"""Training: configuration, loop, learners, validation."""
