"""Ctrl-C, SIGTERM, a terminal that closes: stop at the next step when asked once, at once when twice."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# A terminal or console that closes; on POSIX the shell and the system may both say so.
if sys.platform == "win32":
    _HANG_UP = signal.SIGBREAK
else:
    _HANG_UP = signal.SIGHUP
_SIGNALS = (signal.SIGINT, signal.SIGTERM, _HANG_UP)


class Stop:
    """Whether the user has asked to stop.

    Attributes:
        asked: true after the first signal within `stopping`.
    """

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int) -> None:
        """Take note of a signal; the second one ends everything, unless it only says the same again."""
        if self.asked and number != _HANG_UP:
            raise _Interrupt
        self.asked = True


@contextmanager
def stopping() -> Iterator[Stop]:
    """While this lasts, the first signal to end is only noted, and the second is a KeyboardInterrupt."""
    stop = Stop()
    with _on(stop):
        yield stop


class _Interrupt(KeyboardInterrupt):
    """Not KeyboardInterrupt itself: if that one passes through code that is being compiled, as dataclasses
    are at import, Python ends the process by a signal whatever exit code it is given."""


@contextmanager
def interruptible() -> Iterator[None]:
    """While this lasts, all signals to end are a KeyboardInterrupt: no temporary file stays behind."""
    with _on(_interrupt):
        yield


def _interrupt(_: int) -> None:
    raise _Interrupt


@contextmanager
def _on(react: Callable[[int], None]) -> Iterator[None]:
    """React to signals, then put back what was there. Python takes signals in the main thread alone.

    What was ignored stays so: that is how nohup and shells keep signals from work in the background.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, _: FrameType | None) -> None:
        react(number)

    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)
