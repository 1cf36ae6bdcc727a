"""Run several trainings at once, each in its own process. A small one leaves most of a GPU or CPU idle."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.synchronize import Event as Flag

import torch

from n2n_core.course.studies.results import Record
from n2n_core.course.studies.study import StudyRun
from n2n_core.course.studies.trainer import RunTrainer
from n2n_core.errors import N2NError

POLL_SECONDS = 0.2
"""Seconds between two checks of ``should_stop``."""

Item = tuple[StudyRun, int]


def spread(
    items: Sequence[Item], perform: RunTrainer, jobs: int, should_stop: Callable[[], bool]
) -> Iterator[tuple[Item, Record]]:
    """Train runs in ``jobs`` processes, and yield each run, its seed and its result when it is complete.

    Once ``should_stop`` returns True, running work is saved and no further runs start.

    Raises:
        N2NError: a run failed or its process died. The other runs are saved and stopped.
    """
    context = get_context("spawn")  # CUDA does not work after a fork
    stop, threads = context.Event(), torch.get_num_threads()
    with ProcessPoolExecutor(jobs, context, _begin, (perform, stop, threads)) as pool:
        pending = {pool.submit(_perform, run, seed): (run, seed) for run, seed in items}
        try:
            while pending:
                done, _ = wait(pending, POLL_SECONDS, FIRST_COMPLETED)
                if should_stop():
                    stop.set()
                for future in done:
                    item, result = pending.pop(future), future.result()
                    if isinstance(result, str):
                        raise N2NError(result)
                    if result is not None:
                        yield item, result
        except BrokenProcessPool as error:
            raise N2NError("a run's process died, perhaps because memory ran out; try fewer jobs") from error
        finally:
            stop.set()


_own: tuple[RunTrainer, Flag]
"""Trainer and stop flag of this worker process."""


def _begin(perform: RunTrainer, stop: Flag, threads: int) -> None:
    global _own
    _own = perform, stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent sets ``stop``
    torch.set_num_threads(threads)


def _perform(run: StudyRun, seed: int) -> Record | str | None:
    """Return a run's result, None if stopped, or an error message, as not every error can be pickled."""
    perform, stop = _own
    if stop.is_set():
        return None
    try:
        return perform(run, seed, lambda event: None, stop.is_set)
    except N2NError as error:
        return str(error)
