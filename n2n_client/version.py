"""The client's version, which is that of the service it was released with."""

__version__ = "0.2.0"
