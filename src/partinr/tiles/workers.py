"""Who does the tasks: this process, or several on this machine, which may be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_end
from typing import Any, NamedTuple

from partinr.tiles.tasks import Plan

TRIES = 3
"""How often a worker may die of a task before the task is given up."""

Work = Callable[[Plan, Any, Any], Any]
"""What is done with a plan, a task and what was read for it: a function of a module."""


class WorkersLost(RuntimeError):
    """Nobody is left to do the tasks, or a task kills whoever does it."""


class Job(NamedTuple):
    """A task, and the number of its tile."""

    number: int
    task: Any


class Workers(ABC):
    """Those who do the tasks of a fit."""

    @abstractmethod
    def run(self, work: Work, plan: Plan, jobs: Sequence[Job]) -> Iterator[tuple[Job, Any]]:
        """Do tasks, in any order; of each what came of it, or the exception.

        No more tasks are under way than keep all workers busy, whatever their number: what comes of them is
        taken before new ones are begun.
        """

    @abstractmethod
    def close(self) -> None:
        """Send everybody home; what is under way is given up."""


class Alone(Workers):
    """This process."""

    def run(self, work: Work, plan: Plan, jobs: Sequence[Job]) -> Iterator[tuple[Job, Any]]:
        """See `Workers.run`."""
        for job in jobs:
            try:
                found = work(plan, job.task, None)
            except Exception as error:  # whoever asked says which he can go on after
                found = error
            yield job, found

    def close(self) -> None:
        """See `Workers.close`."""


class Processes(Workers):
    """Processes on this machine.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._count, context, _begin)
        return self._pool

    def run(self, work: Work, plan: Plan, jobs: Sequence[Job]) -> Iterator[tuple[Job, Any]]:
        """See `Workers.run`; a task during which a worker died is done again, alone."""
        waiting, suspects = deque(jobs), deque[Job]()
        deaths: Counter[int] = Counter()
        under_way: dict[Future[Any], Job] = {}
        while waiting or suspects or under_way:
            while (suspects or waiting) and len(under_way) < (1 if suspects else 2 * self._count):
                job = suspects.popleft() if suspects else waiting.popleft()
                alone = bool(deaths[job.number])
                try:
                    future = self._started().submit(work, plan, job.task, plan.parcel(job.number))
                except BrokenProcessPool:
                    waiting.appendleft(job)
                    self.close()
                    continue
                except Exception as error:  # what is read here fails as it would there
                    yield job, error
                    continue
                under_way[future] = job
                if alone:
                    break
            if not under_way:
                continue
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            broken = False
            for future in done:
                job = under_way.pop(future)
                failure = future.exception()
                if not isinstance(failure, BrokenProcessPool):
                    yield job, future.result() if failure is None else failure
                    continue
                broken = True
                deaths[job.number] += 1
                if deaths[job.number] < TRIES:
                    suspects.append(job)
                else:
                    yield (
                        job,
                        WorkersLost(f"a worker died of it {TRIES} times; it may have had too little memory"),
                    )
            if broken:
                # All that were under way are lost with the pool, and any may be why.
                for job in under_way.values():
                    deaths[job.number] += 1
                    suspects.append(job)
                under_way.clear()
                self.close()

    def close(self) -> None:
        """See `Workers.close`."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _begin() -> None:
    """What a worker does first: it leaves signals of the terminal to its parent, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        wait_for_end([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
