"""The ``n2n`` command: the core's commands, and those of the service."""
