"""Models in memory, the scheduler of tiles, and the processes of the devices."""
