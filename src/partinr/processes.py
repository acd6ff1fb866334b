"""Processes that are started beside this one."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

GUARD = 'a script that starts processes does so under: if __name__ == "__main__":'
"""What is told where a script without it starts processes, each of which would start it again."""


def being_imported_again() -> bool:
    """Whether this is a started process that still imports the script of the one that started it."""
    return getattr(multiprocessing.current_process(), "_inheriting", False)


@contextmanager
def deaf() -> Iterator[None]:
    """Signals wait, and processes that are started meanwhile never hear them: Ctrl-C, what a batch system
    sends and the end of a terminal go to all, and the one that started them decides."""
    if sys.platform == "win32":  # which has no such masks; its processes ignore them once they have begun
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
