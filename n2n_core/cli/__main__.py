"""``python -m n2n_core.cli``: the core's commands."""

import sys

from n2n_core.cli import main

sys.exit(main())
