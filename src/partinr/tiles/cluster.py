"""Workers on any number of machines: a Dask cluster."""

from __future__ import annotations

import math
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from partinr.errors import InputError, need
from partinr.tiles.addresses import brief_error
from partinr.tiles.tasks import Plan
from partinr.tiles.workers import TRIES, Job, Sent, Work, Workers, WorkersLost

# Seconds in which a scheduler answers, and in which its first worker has come.
_PATIENCE, _FIRST_WORKER = 8, 30
# Seconds after which they are counted again: they come and go.
_COUNTED = 1
# Tasks under way for each thread of the workers: one that is done, and one that is to be next.
_AHEAD = 2


class Cluster(Workers):
    """The workers of a Dask scheduler.

    Args:
        cluster: address of the scheduler, such as "tcp://host:8786", or a `distributed.Client`.

    Raises:
        InputError: distributed is not there, or the scheduler does not answer, or has no workers.
    """

    def __init__(self, cluster: Any) -> None:
        need("distributed", "fitting on a cluster", "cluster")
        from distributed import Client

        self._own = isinstance(cluster, str)
        if not self._own and not isinstance(cluster, Client):
            raise InputError(
                "the cluster must be the address of a Dask scheduler or a Client, got "
                f"{type(cluster).__name__}"
            )
        self._client = self._connected(cluster) if self._own else cluster
        try:
            self._client.wait_for_workers(1, timeout=_FIRST_WORKER)
        except TimeoutError:
            self.close()
            raise InputError(
                f"the scheduler {cluster} has no workers after {_FIRST_WORKER} s; start some, as with: "
                f"dask worker {cluster}"
            ) from None

    def _connected(self, address: str) -> Any:
        from distributed import Client

        client: Any = Client
        try:
            return client(address, timeout=_PATIENCE, set_as_default=False)
        except (OSError, TimeoutError, ValueError, KeyError) as error:
            raise InputError(
                f"cannot reach the scheduler {address} ({brief_error(error)}); start one, as with: dask "
                "scheduler"
            ) from None

    def run(self, work: Work, plan: Plan, jobs: Sequence[Job]) -> Iterator[tuple[Job, Any]]:
        """See `Workers.run`; Dask sends tasks of workers that died to others, some times."""
        from distributed.protocol.pickle import dumps  # of functions in the graphs of Dask's arrays, too

        waiting, done, sent = deque(jobs), queue.SimpleQueue[Any](), Sent(plan, dumps)
        under_way: dict[str, tuple[Any, Job]] = {}
        threads, counted = 1, -math.inf
        while waiting or under_way:
            if time.monotonic() > counted + _COUNTED:
                threads, counted = max(1, self._threads()), time.monotonic()
            room = _AHEAD * threads - len(under_way)
            while waiting and room > 0:
                job, room = waiting.popleft(), room - 1
                try:
                    parcel = plan.parcel(job.number)
                except Exception as error:  # what is read here fails as it would there
                    yield job, error
                    continue
                future = self._submitted(sent.do, work, job.task, parcel)
                under_way[future.key] = (future, job)
                future.add_done_callback(done.put)
            if not under_way:
                continue
            try:
                key = done.get(timeout=1).key
            except queue.Empty:
                self._check_alive()
                continue
            future, job = under_way.pop(key)
            yield job, self._found(future)
            future.release()

    def _submitted(self, work: Callable[..., Any], *given: Any) -> Any:
        try:
            return self._client.submit(work, *given, pure=False, retries=TRIES)
        except Exception as error:  # see `_found`
            raise self._lost() from error

    def _found(self, future: Any) -> Any:
        from distributed.scheduler import KilledWorker

        try:
            error = future.exception(timeout=_PATIENCE) if future.status != "finished" else None
            found = future.result(timeout=_PATIENCE) if error is None else error
        except TimeoutError:  # who had it died before it was fetched: another does it again
            self._check_alive()
            return self._found(future)
        except Exception as lost:  # Dask has several for what was cancelled, and whose scheduler is gone
            raise self._lost() from lost
        if type(error).__name__ in ("CancelledError", "FutureCancelledError"):
            raise self._lost()
        if isinstance(error, KilledWorker):
            return WorkersLost("worker after worker died of it; they may have had too little memory")
        return found

    def _check_alive(self) -> None:
        if self._client.status not in ("running", "connecting"):
            raise self._lost()

    def _threads(self) -> int:
        """Of all workers that are there."""
        try:
            return sum(self._client.nthreads().values())
        except Exception as error:  # see `_found`
            raise self._lost() from error

    def _lost(self) -> WorkersLost:
        return WorkersLost(
            "the scheduler of the cluster was lost; what is done is kept, start it again and go on with "
            "--resume"
        )

    def close(self) -> None:
        """See `Workers.close`; a client that was given stays."""
        if self._own:
            self._client.close(timeout=1)
