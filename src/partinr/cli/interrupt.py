"""Ctrl-C and SIGTERM: stop at the next step when asked once, at once when asked twice."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether the user has asked to stop.

    Attributes:
        asked: true after the first Ctrl-C or SIGTERM within `stopping`.
    """

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> None:
        """Take note of a signal; the second one ends everything."""
        if self.asked:
            raise _Interrupt
        self.asked = True


@contextmanager
def stopping() -> Iterator[Stop]:
    """While this lasts, the first Ctrl-C or SIGTERM is only noted, and the second is a KeyboardInterrupt."""
    stop = Stop()
    with _on((signal.SIGINT, signal.SIGTERM), stop):
        yield stop


class _Interrupt(KeyboardInterrupt):
    """Not KeyboardInterrupt itself: if that one passes through code that is being compiled, as dataclasses
    are at import, Python ends the process by a signal whatever exit code it is given."""


@contextmanager
def interruptible() -> Iterator[None]:
    """While this lasts, SIGTERM is a KeyboardInterrupt like Ctrl-C: no temporary file stays behind."""
    with _on((signal.SIGINT, signal.SIGTERM), _interrupt):
        yield


def _interrupt() -> None:
    raise _Interrupt


@contextmanager
def _on(signals: tuple[signal.Signals, ...], react: Callable[[], None]) -> Iterator[None]:
    """React to signals, then put back what was there. Python takes signals in the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(_: int, __: FrameType | None) -> None:
        react()

    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)
