"""Who does the tasks: this process, or several on this machine, which may be killed."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_end
from typing import Any, NamedTuple

from partinr.processes import GUARD, deaf, keep_memory
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

    def begin(self) -> None:  # noqa: B027 - not everyone has to
        """Get ready, while nothing is there to be done yet."""

    @abstractmethod
    def close(self) -> None:
        """Send everybody home; what is under way is given up."""


class Alone(Workers):
    """This process."""

    def begin(self) -> None:
        """See `Workers.begin`."""
        keep_memory()

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
        self._crew: list[_Process] = []

    def begin(self) -> None:
        """See `Workers.begin`."""
        self._crew += [_Process() for _ in range(self._count - len(self._crew))]

    def run(self, work: Work, plan: Plan, jobs: Sequence[Job]) -> Iterator[tuple[Job, Any]]:
        """See `Workers.run`; a task during which a process died is done again by another."""
        waiting, came, sent = deque(jobs), list[tuple[Job, Any]](), Sent(plan)
        deaths: Counter[int] = Counter()
        while waiting or came or any(process.under_way for process in self._crew):
            self.begin()
            # One more than is being done lies ready for each, unless others could begin it sooner.
            while waiting and (free := self._freest(2 if len(waiting) > self._count else 1)):
                job = waiting.popleft()
                try:
                    parcel = plan.parcel(job.number)
                except Exception as error:  # what is read here fails as it would there
                    came.append((job, error))
                else:
                    free.submit(job, sent.do, work, job.task, parcel)
            yield from came
            came = []
            wait([future for one in self._crew for future in one.under_way], return_when=FIRST_COMPLETED)
            for process in list(self._crew):
                done, lost = process.news()
                came += done
                if not lost:
                    continue
                self._crew.remove(process)
                waiting.extendleft(reversed(lost[1:]))
                deaths[lost[0].number] += 1
                if deaths[lost[0].number] < TRIES:
                    waiting.appendleft(lost[0])
                elif process.began:
                    why = f"a worker died of it {TRIES} times; it may have had too little memory"
                    came.append((lost[0], WorkersLost(why)))
                else:
                    raise WorkersLost(f"worker after worker ends before it has begun; {GUARD}")

    def _freest(self, most: int) -> _Process | None:
        """Who has the least to do, if that is less than so much."""
        found = min(self._crew, key=lambda process: len(process.under_way))
        return found if len(found.under_way) < most else None

    def close(self) -> None:
        """See `Workers.close`."""
        for process in self._crew:
            process.close()
        self._crew = []


class _Process:
    """One process, which does one task after another.

    Attributes:
        under_way: what it is doing, and what it is to do next.
    """

    def __init__(self) -> None:
        self.under_way: dict[Future[Any], Job] = {}
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)
        with deaf():
            self._hello = self._pool.submit(_hello)

    def submit(self, job: Job, work: Callable[..., Any], *given: Any) -> None:
        """Give it a task."""
        try:
            future = self._pool.submit(work, *given)
        except (RuntimeError, OSError) as error:  # its queues are closed while it is found to have ended
            future = Future()
            future.set_exception(BrokenProcessPool(str(error)))
        self.under_way[future] = job

    def news(self) -> tuple[list[tuple[Job, Any]], list[Job]]:
        """What has come of tasks since; and, if it has ended, what it was doing and what it had not begun."""
        found: list[tuple[Job, Any]] = []
        for future, job in list(self.under_way.items()):
            if not future.done():
                break
            failure = future.exception()
            if isinstance(failure, BrokenProcessPool):
                self.close()
                return found, list(self.under_way.values())
            del self.under_way[future]
            found.append((job, future.result() if failure is None else failure))
        return found, []

    @property
    def began(self) -> bool:
        """Whether it was ever ready for a task."""
        return self._hello.done() and self._hello.exception() is None

    def close(self) -> None:
        """End it; what is under way is given up."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Sent:
    """A plan on its way: pickled once, and unpickled once by each thread that does tasks, one after another.

    Args:
        plan: what all of them share.
        dumps: what pickles it.
    """

    def __init__(self, plan: Plan, dumps: Callable[[Plan], bytes] = pickle.dumps) -> None:
        self._bytes = dumps(plan)

    def do(self, work: Work, task: Any, parcel: Any) -> Any:
        """A task, by this process."""
        keep_memory()
        if getattr(_here, "bytes", None) != self._bytes:
            if hasattr(_here, "plan"):
                _here.plan.source.close()
            _here.plan, _here.bytes = pickle.loads(self._bytes), self._bytes
        return work(_here.plan, task, parcel)


_here = threading.local()


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
