"""Standard streams as they may be: closed, full, slow, or with nobody at the other end.

What a command shows is not its work. Nothing that is wrong with a stream stops the work; that the output
could not be written is said at the end, and is exit code 1 then.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import time
from pathlib import Path
from typing import Any


def open_streams() -> Output | None:
    """Put streams that cannot fail in the place of this process's.

    Names of files can have characters that the terminal's encoding lacks, which are shown as escapes.

    Returns:
        what becomes of standard output; None if that is something of another program's, as in a notebook.
    """
    # Or the first files that are opened become standard input, output and error.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    output, errors = (
        Output(stream) if stream is None or isinstance(stream, io.TextIOWrapper) else None
        for stream in (sys.stdout, sys.stderr)
    )
    if output is not None:
        sys.stdout = output.stream
    if errors is not None:
        sys.stderr = errors.stream
    return output


class Output(io.RawIOBase):
    """An output stream that takes everything, and remembers the first failure.

    Attributes:
        stream: the same as text.
        failure: why something could not be written; None if all was, or nobody reads it any longer.
    """

    def __init__(self, given: io.TextIOWrapper | None) -> None:
        # Kept: a stream that nobody refers to closes its file.
        self._given = Path(os.devnull).open("w", encoding="utf-8") if given is None else given  # noqa: SIM115
        self._given.flush()
        buffer = self._given.buffer
        self._raw: Any = getattr(buffer, "raw", buffer)
        self._over = False
        self.failure: OSError | None = None
        self.stream = io.TextIOWrapper(
            io.BufferedWriter(self),
            self._given.encoding,
            "backslashreplace",
            line_buffering=self._given.line_buffering,
        )

    def write(self, data: Any, /) -> int:
        """Write bytes, or drop them once that has failed."""
        while not self._over:
            try:
                written = self._raw.write(data)
            except OSError as error:
                self._over = True
                # A reader that has gone away (`| head`) has what it wanted.
                self.failure = None if _left(error) else error
                break
            if written is not None:
                return int(written)
            # A pipe that does not block, and is full for the moment.
            if sys.platform == "win32":  # where only sockets can be waited for
                time.sleep(0.01)
            else:
                select.select([], [self._raw], [])
        return len(data)

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return bool(self._raw.isatty())

    def fileno(self) -> int:
        """The file descriptor."""
        return int(self._raw.fileno())


def _left(error: OSError) -> bool:
    """Whether the reader of a pipe has gone; Windows then says that the argument is invalid."""
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL)
