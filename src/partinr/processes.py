"""Processes that are started beside this one."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from partinr.errors import InputError

GUARD = 'a script that starts processes does so under: if __name__ == "__main__":'
"""What is told where a script without it starts processes, each of which would start it again."""


def refuse_import_again() -> None:
    """Start nothing in a started process that still imports the script of the one that started it.

    Raises:
        InputError: this is one.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise InputError(GUARD)


# Of <malloc.h>: which parameter; bytes that stay with a process, and of an array that is mapped for itself.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT, _MAPPED = 256 << 20, 32 << 20


@cache
def keep_memory() -> None:
    """What arrays free stays with this process for the next ones, as far as 256 MiB, where that can be said.

    For processes that do many tasks one like another: what goes back to the system each time comes again as
    pages of zeros, which takes a tenth of the time, or more where a worker is told to give back everything.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc
        if mallopt is not None:
            mallopt(_M_TRIM_THRESHOLD, _KEPT)
            mallopt(_M_MMAP_THRESHOLD, _MAPPED)


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
