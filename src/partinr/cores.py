"""How many cores there are, and how many of them are taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_most: ContextVar[int | None] = ContextVar("_most", default=None)


def usable_cores() -> int:
    """Cores that this process may use, and no more than `on_cores` says."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    most = _most.get()
    return found if most is None else min(found, most)


@contextmanager
def on_cores(most: int) -> Iterator[None]:
    """What is done meanwhile, by this thread, takes so many cores at most."""
    token = _most.set(most)
    try:
        yield
    finally:
        _most.reset(token)
