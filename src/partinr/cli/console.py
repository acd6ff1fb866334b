"""What people and programs see: lines, JSON, and progress bars on a terminal."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from partinr.report import words
from partinr.report.words import counted as counted
from partinr.text import jsonable, legible

if TYPE_CHECKING:
    from rich.progress import Progress

_REFRESH_SECONDS = 0.1


def complain(message: str) -> None:
    """One line on standard error, whatever the message has in it."""
    print(f"partinr: {printable(' '.join(message.split()))}", file=sys.stderr, flush=True)  # noqa: T201


def printable(text: object) -> str:
    """Text that any terminal takes: names of files can hold control characters and bytes that are no text."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in legible(str(text)))


def say(rows: Iterable[tuple[str, object]]) -> None:
    """A table of names and values on standard output, one row a line however long."""
    table = list(rows)
    width = max(len(name) for name, _ in table) + 2
    bold, plain = (
        ("\033[1m", "\033[0m") if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else ("", "")
    )
    for name, value in table:
        print(f"{bold}{name:<{width}}{plain}{printable(value)}")  # noqa: T201
    sys.stdout.flush()


def emit(values: Mapping[str, Any]) -> None:
    """One JSON object on one line of standard output."""
    # Numbers that JSON lacks become "inf", "-inf" and "nan".
    plain = jsonable(values, lambda number: number if math.isfinite(number) else str(number))
    print(json.dumps(plain, allow_nan=False), flush=True)  # noqa: T201


class Bar:
    """A progress bar on standard error, and nothing at all where that is no terminal or `quiet` is asked for.

    Args:
        what: name of the work, shown before the bar.
        quiet: show nothing.
    """

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        self.shown = not quiet and sys.stderr.isatty()
        self._what = what
        self._progress: Progress | None = None
        self._due = 0.0
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the bar was made."""
        return time.monotonic() - self._started

    def __enter__(self) -> Bar:
        if self.shown:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.add_task(self._what, total=1.0, note="")
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def due(self) -> bool:
        """Whether it is time to show something new; asked before every step, so it costs next to nothing."""
        now = time.monotonic()
        if not self.shown or now < self._due:
            return False
        self._due = now + _REFRESH_SECONDS
        return True

    def show(self, fraction: float, note: str = "", what: str | None = None) -> None:
        """Move the bar to a share of the work, 0..1."""
        if self._progress is not None:
            (task,) = self._progress.task_ids
            description = self._what if what is None else what
            self._progress.update(task, completed=fraction, note=note, description=description)
            self._progress.refresh()


def duration(seconds: float | None) -> str:
    """A time to wait as people read it: 0:07, 12:34, 1:02:03."""
    if seconds is None or not math.isfinite(seconds):
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


decibels = partial(words.decibels, unknown="unknown", infinite="infinite")
"""A PSNR as people read it."""
