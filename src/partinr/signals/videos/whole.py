"""Whether a file of frames is all there, by what its container says; decoders pass over that in silence."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from partinr.errors import InputError

_MOST = 1 << 20
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067


def check_whole(path: Path) -> None:
    """Refuse a file that ends before its container does: MP4 and MOV, Matroska and WebM, AVI and animated
    WebP, GIF, PNG. Others are left to their decoders.

    Raises:
        InputError: it does.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        if head[:4] == b"RIFF":
            end = 8 + int.from_bytes(head[4:8], "little")
        elif head[:3] == b"GIF":
            end = _gif_end(file, size)
        elif head[:4] == b"\x89PNG":
            end = _png_end(file, size)
        elif int.from_bytes(head[:4], "big") == _EBML:
            end = _matroska_end(file, size)
        elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            end = _boxes_end(file, size)
        else:
            return
    if end > size:
        raise truncated(path, f"{size:,} bytes of {end:,}" if end < 1 << 62 else f"{size:,} bytes and no end")


def truncated(path: Path, found: str) -> InputError:
    """What is wrong with a file that has less than it says."""
    return InputError(
        f"{path}: truncated: got {found}; get the file again, or read what is there with a stop "
        "(--stop SECONDS)"
    )


_NEVER = 1 << 62


def _boxes_end(file: BinaryIO, size: int) -> int:
    """Where the last box of ISO/IEC 14496-12 ends."""
    at = 0
    for _ in range(_MOST):
        if at + 8 > size:
            break
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            return size
        if length < 8:
            break
        at += length
    return at


def _matroska_end(file: BinaryIO, size: int) -> int:
    """Where the last segment ends (RFC 8794, 9559); live recordings do not say."""
    at = 0
    while at < size:
        file.seek(at)
        name, first = _number(file, keep=True)
        length, second = _number(file, keep=False)
        if length < 0 or not first or not second or (name not in (_EBML, _SEGMENT) and at):
            break
        at += first + second + length
    return at


def _number(file: BinaryIO, *, keep: bool) -> tuple[int, int]:
    """A number of variable length and its bytes; -1 where all its bits are set, which means unknown."""
    head = file.read(1)
    if not head or head[0] == 0:
        return 0, 0
    extra = 8 - head[0].bit_length()
    rest = file.read(extra)
    bits = int.from_bytes(head + rest, "big")
    most = 1 << (7 * (extra + 1))
    value = bits & (most - 1)
    return (bits, extra + 1) if keep else (-1 if value == most - 1 else value, extra + 1)


def _png_end(file: BinaryIO, size: int) -> int:
    """Where the chunk IEND ends."""
    at = 8
    while at + 12 <= size:
        file.seek(at)
        head = file.read(8)
        at += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return at
    return max(at, size + 1)


def _gif_end(file: BinaryIO, size: int) -> int:
    """Where the trailer is, behind all blocks (GIF89a, appendix A)."""
    file.seek(6)
    screen = file.read(7).ljust(7, b"\0")
    at = 13 + _colours(screen[4])
    while at < size:
        file.seek(at)
        block = file.read(11).ljust(11, b"\0")
        if block[0] == 0x3B:
            return at + 1
        if block[0] == 0x21:
            at += 2
        elif block[0] == 0x2C:
            at += 11 + _colours(block[9])
        else:
            # Whatever it is, decoders stop here as well.
            return at
        while at < size:
            file.seek(at)
            length = file.read(1)[0]
            at += 1 + length
            if length == 0:
                break
    return _NEVER


def _colours(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
