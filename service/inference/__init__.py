"""Models in memory, the scheduler of tiles, and the device processes that run the networks."""
