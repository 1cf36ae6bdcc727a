"""n2n: image denoisers trained from noisy pictures alone (Noise2Noise).

The library behind the service. It knows no HTTP.
"""

__version__ = "0.2.0"
