"""Settings that apply to all tests."""

import os
import signal
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from n2n_core.device import let_threads_sleep
from service.inference.device_process import UNMEASURED
from service.processes.limits import IMPOLITE

let_threads_sleep()  # before torch is loaded: several test processes may share the cores
os.environ.setdefault("OMP_NUM_THREADS", "1")  # so they do, and the last bit of results does not depend on it

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the many processes that tests start are compiled once
os.environ[IMPOLITE] = "1"  # tests wait for trainers, which otherwise let everybody go first
os.environ[UNMEASURED] = "1"  # and for services, which otherwise measure the speed of every model first

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background, also for what tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)

ONE_SERVICE = ("tests/web/", "tests/hostile/", "tests/contract/")
"""Folders whose tests share a service, which takes seconds to start. Each folder runs in one process."""


class ByService(LoadFileScheduling):  # type: ignore[misc]
    """Distributes tests by file, and those of one service together."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next((folder for folder in ONE_SERVICE if nodeid.startswith(folder)), None)
        return folder or str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByService:
    """Tell pytest-xdist how to distribute the tests."""
    return ByService(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders of one service, so that no process has one left when the other is done."""
    items.sort(key=lambda item: not item.nodeid.startswith(ONE_SERVICE))  # which is stable
