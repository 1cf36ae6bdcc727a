"""Send many mixed requests: is every answer right, and does nothing grow?"""
