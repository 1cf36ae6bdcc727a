"""The pools of threads in which endpoints make blocking calls, one for each thing that may block."""

from service.processes.threads import Threads

DATABASE = Threads("database", 8)
UPLOADS = Threads("upload", 4)
"""For parsing forms, and the folders of uploads."""

OUTPUTS = Threads("output", 2)
"""For the files of jobs."""

DRAWING = Threads("plot", 1)
"""One, as matplotlib's settings and fonts are shared by the process."""
