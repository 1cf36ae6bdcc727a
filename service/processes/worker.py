"""A worker: a process that runs one function at a time on data that nobody trusts, within limits."""

import os
import resource
import sys
import warnings
from math import ceil
from time import process_time
from typing import Any

from n2n_core.image import libtiff
from service.processes.box import Box
from service.processes.child import connect, serve
from service.processes.limits import limit_memory

NICE = 5
"""Below the event loop and the networks of small pictures, whose clients do not wait for large files."""


def main(lines: str, boxes: str, memory: str, seconds: str) -> None:
    """Run functions until the service hangs up.

    Args:
        boxes: descriptors of the boxes for requests and for results.
        memory: bytes that the process may allocate.
        seconds: of processor time for each call; then the system ends the process with ``SIGXCPU``.
    """
    (line,) = connect(lines)
    requests, results = (Box(int(number)) for number in boxes.split(","))
    os.nice(NICE)
    libtiff.silence()
    warnings.filterwarnings("ignore", module="PIL")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit_memory(int(memory))

    def work(sizes: list[int]) -> Any:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (ceil(process_time() + float(seconds)), hard))
        function, arguments = requests.take(sizes)
        return results.put(function(*arguments))

    serve(line, work)


if __name__ == "__main__":
    main(*sys.argv[1:])
