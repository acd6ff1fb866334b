"""A file at an address as an open file, of which only those bytes are fetched that are asked for."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from partinr.errors import InputError
from partinr.tiles.addresses import filesystem, reaching

# Bytes of a block, in which what is small is read, and blocks that are kept; gaps as small are read with what
# lies around them.
_BLOCK, _BLOCKS = 1 << 16, 64
# Bytes that are fetched at once.
_MOST = 1 << 24


class Ranges(io.RawIOBase):
    """A file at an address, open to read.

    Args:
        url: where it is.

    Raises:
        FileNotFoundError: it is not there.
        InputError: it cannot be read.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url, self._at = url, 0
        self._files, self._path = filesystem(url)
        with reaching(url):
            size = self._files.info(self._path).get("size")
        if size is None:
            raise InputError(f"cannot read {url} in parts: its server does not say how large it is; {_COPY}")
        self._size = int(size)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._ahead: dict[int, bytes] = {}

    def readable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def tell(self) -> int:
        """See `io.IOBase`."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.IOBase`."""
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`; all that is asked for is there, but at the end of the file."""
        view = memoryview(buffer).cast("B")
        found = self._bytes(self._at, min(self._at + len(view), self._size))
        view[: len(found)] = found
        self._at += len(found)
        return len(found)

    def read_ahead(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Fetch what is going to be read, side by side; what was fetched so before is forgotten.

        Args:
            ranges: where each begins, and how many bytes it has.
        """
        joined: list[list[int]] = []
        for start, count in sorted(ranges):
            end = min(start + count, self._size)
            if joined and start - joined[-1][1] <= _BLOCK and end - joined[-1][0] <= _MOST:
                joined[-1][1] = max(joined[-1][1], end)
            elif start < end:
                joined.append([start, end])
        self._ahead = {}
        self._ahead = dict(zip([start for start, _ in joined], self._fetched(joined), strict=True))

    def _bytes(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        for first, data in self._ahead.items():
            if first <= start and end <= first + len(data):
                return data[start - first : end - first]
        if end - start > _BLOCK:
            return self._fetched([(start, end)])[0]
        first = start // _BLOCK
        found = b"".join(self._block(number) for number in range(first, -(-end // _BLOCK)))
        return found[start - first * _BLOCK : end - first * _BLOCK]

    def _block(self, number: int) -> bytes:
        found = self._blocks.pop(number, None)
        if found is None:
            found = self._fetched([(number * _BLOCK, min((number + 1) * _BLOCK, self._size))])[0]
        self._blocks[number] = found
        if len(self._blocks) > _BLOCKS:
            self._blocks.popitem(last=False)
        return found

    def _fetched(self, ranges: Sequence[Sequence[int]]) -> list[bytes]:
        """All bytes of some parts, each from its first to before its last.

        Raises:
            FileNotFoundError: the file is no longer there.
            InputError: it cannot be read.
        """
        starts, ends = [start for start, _ in ranges], [end for _, end in ranges]
        with reaching(self._url):
            found: list[bytes] = self._files.cat_ranges(
                [self._path] * len(starts), starts, ends, on_error="raise"
            )
        for start, end, data in zip(starts, ends, found, strict=True):
            if len(data) != end - start:
                raise InputError(
                    f"cannot read {self._url} in parts: of bytes {start:,} to {end:,} its server sends "
                    f"{len(data):,}; {_COPY}"
                )
        return found


_COPY = "copy it to this machine"
