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

from partinr.processes import GUARD, deaf
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
    """Processes on this machine, each a pool of its own: it is known which task a process died of.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._idle: list[_Process] = []
        self._busy: dict[Future[Any], tuple[_Process, Job]] = {}

    def run(self, work: Work, plan: Plan, jobs: Sequence[Job]) -> Iterator[tuple[Job, Any]]:
        """See `Workers.run`; a task during which a process died is done again by another."""
        waiting, came = deque(jobs), list[tuple[Job, Any]]()
        deaths: Counter[int] = Counter()
        while waiting or came or self._busy:
            while waiting and len(self._busy) < self._count:
                job = waiting.popleft()
                try:
                    parcel = plan.parcel(job.number)
                except Exception as error:  # what is read here fails as it would there
                    came.append((job, error))
                    continue
                process = self._idle.pop() if self._idle else _Process()
                self._busy[process.submit(work, plan, job.task, parcel)] = process, job
            yield from came
            came = []
            for future in wait(self._busy, return_when=FIRST_COMPLETED).done if self._busy else ():
                process, job = self._busy.pop(future)
                failure = future.exception()
                if not isinstance(failure, BrokenProcessPool):
                    self._idle.append(process)
                    came.append((job, future.result() if failure is None else failure))
                    continue
                process.close()
                deaths[job.number] += 1
                if deaths[job.number] < TRIES:
                    waiting.appendleft(job)
                elif process.began:
                    why = f"a worker died of it {TRIES} times; it may have had too little memory"
                    came.append((job, WorkersLost(why)))
                else:
                    raise WorkersLost(f"worker after worker ends before it has begun; {GUARD}")

    def close(self) -> None:
        """See `Workers.close`."""
        for process in (*self._idle, *(process for process, _ in self._busy.values())):
            process.close()
        self._idle, self._busy = [], {}


class _Process:
    """One process, started with the first task; it does one at a time."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)
        with deaf():
            self._hello = self._pool.submit(_hello)

    def submit(self, work: Work, *given: Any) -> Future[Any]:
        """A task; what comes of it is a `BrokenProcessPool` if the process has ended."""
        try:
            return self._pool.submit(work, *given)
        except (RuntimeError, OSError) as error:  # its queues are closed while it is found to have ended
            ended: Future[Any] = Future()
            ended.set_exception(BrokenProcessPool(str(error)))
            return ended

    @property
    def began(self) -> bool:
        """Whether it was ever ready for a task."""
        return self._hello.done() and self._hello.exception() is None

    def close(self) -> None:
        """End it; what is under way is given up."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _hello() -> None:
    """The first that a process does: once that is done, it has begun."""


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
