"""Compact files: a short header and coded parameters. `docs/format.md` states them byte by byte."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from partinr.errors import InputError
from partinr.file.json_text import as_json, parse_json
from partinr.file.numbers import read_number, written_number

MAGIC = b"\x89INR"
COMPACT_VERSION = 2
_SEAL = 8
_MOST_SECTIONS = 16
_LARGEST_HEADER = 1 << 22
# Deflate finds here what headers have in common. Part of the format.
DICTIONARY = (
    b'"networks":[{"name":"siren","hidden":,"layers":1,"omega_0":,"omega_hidden":30.0}],"frame":"local",'
    b'"overlap":1,"partition":{"rule":"grid:","regions":},"signal":{"kind":"array","shape":[,],"channels":1,'
    b'"dtype":"float32","value_range":[0.0,1.0],"channel_axis":false},"blend":true,"summary":{"psnr":}'
    b'"dtype":"uint16","value_range":[0,65535],"dtype":"uint8","value_range":[0,255],"channel_axis":true},'
    b'"blend":true,"overlap":0,"coding":"parameters","summary":{"psnr":'
    b'{"signal":{"kind":"image","shape":[512,768],"channels":3,"dtype":"uint8","value_range":[0.0,255.0],'
    b'"channel_axis":true},"blend":true,"coding":"spectra","summary":{"psnr":'
)


class Compact(NamedTuple):
    """What a compact file holds, its checksum being right and nothing else known.

    Attributes:
        fields: the header.
        sections: strings of bytes.
    """

    fields: dict[str, Any]
    sections: list[bytes]


def packed(fields: Mapping[str, Any], sections: list[bytes]) -> bytes:
    """A compact file's bytes.

    Raises:
        InputError: the header is not made of JSON types.
    """
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    header = deflater.compress(as_json(fields).encode()) + deflater.flush()
    *others, last = sections
    body = b"".join(
        (
            written_number(len(header)),
            header,
            written_number(len(sections)),
            *(written_number(len(section)) for section in others),
            *others,
            last,
        )
    )
    return MAGIC + bytes([COMPACT_VERSION]) + hashlib.sha256(body).digest()[:_SEAL] + body


def is_compact(start: bytes) -> bool:
    """Whether a file that begins so is a compact one."""
    return start[: len(MAGIC)] == MAGIC


def unpacked(payload: bytes) -> Compact:
    """The inverse of `packed`.

    Raises:
        InputError: these are no such bytes.
    """
    body = len(MAGIC) + 1 + _SEAL
    if len(payload) < body + 1 or not is_compact(payload):
        raise InputError("not an .inr file, or the beginning of one")
    version = payload[len(MAGIC)]
    if version != COMPACT_VERSION:
        raise InputError(
            f"format version {version} is none of those that this partinr reads; upgrade partinr"
        )
    if hashlib.sha256(memoryview(payload)[body:]).digest()[:_SEAL] != payload[len(MAGIC) + 1 : body]:
        raise InputError("damaged: its checksum does not match; get the file again")
    length, at = read_number(payload, body)
    if length > len(payload) - at:
        raise InputError("damaged: its header is cut short")
    inflater = zlib.decompressobj(-15, DICTIONARY)
    try:
        text = inflater.decompress(payload[at : at + length], _LARGEST_HEADER + 1)
        fields = parse_json(text)
    except (zlib.error, ValueError) as error:
        raise InputError(f"damaged: its header cannot be read ({error})") from error
    whole = inflater.eof and not inflater.unused_data and len(text) <= _LARGEST_HEADER
    if not whole or not isinstance(fields, dict):
        raise InputError("damaged: its header is no single JSON object")
    sections, at = read_number(payload, at + length)
    if not 1 <= sections <= _MOST_SECTIONS:
        raise InputError(f"damaged: it must have 1 to {_MOST_SECTIONS} sections, got {sections}")
    lengths = []
    for _ in range(sections - 1):
        one, at = read_number(payload, at)
        lengths.append(one)
    found = []
    for one in lengths:
        if one > len(payload) - at:
            raise InputError("damaged: a section is cut short")
        found.append(payload[at : at + one])
        at += one
    return Compact(fields, [*found, payload[at:]])
