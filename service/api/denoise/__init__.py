"""``POST /denoise`` and ``POST /denoise-batch``."""
