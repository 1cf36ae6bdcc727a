"""Lanes and lines: the ways from the scheduler to a device.

A device has two *lanes*, which are queues of tiles: BRIEF for pictures that take a few milliseconds, LONG for
all others. Each lane has one or several *lines* to the device's process. A line carries one batch at a time;
it has a connection, a thread in that process, and a part of the shared memory::

    BRIEF  tiles of small pictures ---+--- line 0 ---+
                                      +--- line 2 ---+--- the network on the device's cores
    LONG   tiles of large pictures ---+--- line 1 ---+
                                      +--- line 3 ---+

Two lanes, because a small picture should not wait for a tile of a large one; the operating system shares the
cores between them. Several lines on a CPU, because two batches on a core each finish sooner than one after
the other on both cores. A GPU has one line per lane.
"""

from typing import Literal

from service.processes.limits import cores

BRIEF, LONG = LANES = 0, 1
"""The numbers of the lanes."""

MOST_LINES = 4
"""Lines per lane to a CPU with as many cores or more."""

Cores = Literal["all", "spare", "share"]
"""The cores that a batch runs on: all of the device's, all but one, or its line's share of them."""


def lines_per_lane(device: str, threads: int | None) -> int:
    """Return how many batches of a lane a device runs at once, with ``threads`` CPU threads (None: all)."""
    return min(MOST_LINES, threads or cores()) if device == "cpu" else 1


def line_number(lane: int, index: int) -> int:
    """Return the number of the ``index``-th line of a lane."""
    return lane + index * len(LANES)


def lane_of(line: int) -> int:
    """Return the lane that a line belongs to."""
    return line % len(LANES)
