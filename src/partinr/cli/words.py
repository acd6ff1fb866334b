"""The words of the command line, as the objects that the library takes.

Sizes and places are written as they are for pictures: width first, x before y. The library's axes are
(plane, row, column), so every such list is turned around here and nowhere else.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Literal, NamedTuple

import partinr
from partinr.errors import InputError

# The library's words, known before it is imported; mypy and a test compare them.
Preset = Literal["fast", "paper"]
Frame = Literal["global", "local", "area"]
Between = Literal["learned", "smooth", "none"]
Engine = Literal["auto", "torch", "cpu"]
Precision = Literal["auto", "fp32", "bf16"]
Store = Literal["float32", "float16", "compact", "auto"]
StartStore = Literal["float32", "float16"]
StartFrame = Literal["centred", "global", "local"]
Method = Literal["second-order", "first-order", "reptile"]
RateKind = Literal["fixed", "learned", "step", "parameter", "parameter-step"]
Schedule = Literal["constant", "cosine"]
MetaPrecision = Literal["fp32", "bf16"]
Colour = Literal["rgb", "grey"]
DemoKind = Literal["image", "sound", "video", "volume"]

NETWORK_WORDS = (
    *("siren", "relu", "fourier", "finer", "wire", "gauss", "cosine"),
    *("fouriernet", "gabornet", "hashgrid"),
)
"""Names of the networks, known before torch is imported."""

# By number of axes; what the library calls (plane, row, column) is written in reverse.
_SIZES = {1: "N", 2: "WxH", 3: "WxHxP"}
_CROPS = {1: "X0,X1", 2: "X0,Y0,X1,Y1", 3: "X0,Y0,P0,X1,Y1,P1"}


def rule(word: str) -> partinr.Rule:
    """A partition rule, such as grid:3x3."""
    from partinr.model.partition import rule_from_word

    return rule_from_word(word)


def labels_file(word: str | None) -> Path | None:
    """The file that a partition rule reads, if it reads one."""
    return Path(word.removeprefix("labels:")) if word is not None and word.startswith("labels:") else None


def network(name: str | None, **given: float | None) -> partinr.Network | None:
    """A network with published constants but for those given; None if nothing is asked for.

    Args:
        name: of the network; None for the usual one.
        given: fields by name; None: as published.

    Raises:
        InputError: no such network, it has no such field, or a number is out of its bounds.
    """
    overrides = {field: value for field, value in given.items() if value is not None}
    if name is None and not overrides:
        return None
    from partinr.model.networks import network_from_word

    return network_from_word(name or NETWORK_WORDS[0], **overrides)


class RunWord(NamedTuple):
    """What to compare: a preset, a network, a rule (None: all the usual ones) and a budget of its own."""

    preset: str
    network: str
    rule: partinr.Rule | None
    params: int | None


def runs(
    named: list[str] | None, networks: list[str] | None, partitions: list[str] | None, preset: str
) -> list[RunWord]:
    """What --run says, or else every network with every partition.

    Raises:
        InputError: both are given, or a word is not of its form.
    """
    if named and (networks or partitions):
        raise InputError("give either --run or --network and --partition, got both")
    if named:
        return [_run(word, preset) for word in named]
    rules = [rule(word) for word in partitions] if partitions else [None]
    names = networks or ["siren", "relu"]
    for name in names:
        network(name)
    return [RunWord(preset, name, one, None) for name in names for one in rules]


def _run(word: str, preset: str) -> RunWord:
    match = re.fullmatch(r"(?:(fast|paper)/)?([^:@]*):(.+?)(?:@([0-9]{1,12}))?", word)
    if match is None or match[4] == "0":
        raise InputError(
            f"--run must be [PRESET/]NETWORK:PARTITION[@PARAMETERS] such as siren:grid:3x3, got {word!r:.100}"
        )
    network(match[2])
    return RunWord(match[1] or preset, match[2], rule(match[3]), int(match[4]) if match[4] else None)


def batch(word: str | None) -> int | Literal["full"] | None:
    """A number of samples, or full."""
    return "full" if word == "full" else _count("--batch", word, "full")


def file_size(word: str, option: str = "--size") -> int:
    """A number of bytes: 20000, 50kB, 1.5MB, 64KiB."""
    units = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
    parts = re.fullmatch("([0-9]{1,15}(?:[.][0-9]{1,9})?) ?([A-Za-z]*)", word)
    if parts is None or parts[2].upper() not in units or float(parts[1]) * units[parts[2].upper()] < 1:
        raise InputError(
            f"{option} must be a number of bytes such as 20000, 50kB or 1.5MB, got {word!r:.100}"
        )
    return int(float(parts[1]) * units[parts[2].upper()])


def limit(word: str) -> int | None:
    """A number of pixels, or none for no limit."""
    return None if word == "none" else _count("--max-pixels", word, "none")


def interval(word: str | None) -> tuple[float, float] | None:
    """A value range: LOW,HIGH."""
    if word is None:
        return None
    numbers = _numbers(word)
    if len(numbers) != 2:
        raise InputError(f"--value-range must be LOW,HIGH such as 0,1, got {word!r:.100}")
    return numbers[0], numbers[1]


def size(word: str | None, dims: int, planes: int | None = None) -> tuple[int, ...] | None:
    """The shape (plane, row, column) that is written as WxH (WxHxP with planes, N on one axis).

    Args:
        word: what was written.
        dims: axes of the signal.
        planes: of a signal of three axes, where none are written.

    Raises:
        InputError: not of this form for a signal of this number of axes.
    """
    if word is None:
        return None
    numbers = word.lower().replace("×", "x").split("x")
    if dims == 3 and len(numbers) == 2 and planes is not None:
        numbers.append(str(planes))
    if len(numbers) != dims or not all(re.fullmatch("[0-9]{1,12}", n) and int(n) for n in numbers):
        raise InputError(
            f"--size must be {_SIZES[dims]} with whole numbers above 0 for a signal of {_axes(dims)}, "
            f"got {word!r:.100}"
        )
    return tuple(int(n) for n in reversed(numbers))


def crop(
    word: str | None, dims: int, planes: tuple[float, float] | None = None
) -> tuple[tuple[float, float], ...] | None:
    """The part that is written as X0,Y0,X1,Y1 (X0,Y0,P0,X1,Y1,P1 with planes, X0,X1 on one axis).

    Args:
        word: what was written.
        dims: axes of the signal.
        planes: of a signal of three axes, where none are written.

    Raises:
        InputError: not of this form for a signal of this number of axes.
    """
    if word is None:
        return None
    numbers = _numbers(word)
    if dims == 3 and len(numbers) == 4 and planes is not None:
        numbers = [*numbers[:2], planes[0], *numbers[2:], planes[1]]
    if len(numbers) != 2 * dims:
        raise InputError(
            f"--crop must be {_CROPS[dims]} for a signal of {_axes(dims)}, "
            f"the first sample of each axis and one past the last, got {word!r:.100}"
        )
    starts, stops = numbers[:dims], numbers[dims:]
    return tuple(zip(reversed(starts), reversed(stops), strict=True))


def spelled(shape: tuple[int, ...]) -> str:
    """A shape as --size writes it."""
    return "x".join(str(n) for n in reversed(shape))


def _axes(dims: int) -> str:
    return "1 axis" if dims == 1 else f"{dims} axes"


def _count(option: str, word: str | None, other: str) -> int | None:
    if word is None:
        return None
    if not re.fullmatch("[0-9]{1,18}", word) or int(word) == 0:
        raise InputError(f"{option} must be a whole number above 0, or {other}, got {word!r:.100}")
    return int(word)


def _numbers(word: str) -> list[float]:
    """Finite numbers between commas; none at all if something else is among them."""
    try:
        numbers = [float(part) for part in word.split(",")]
    except ValueError:
        return []
    return numbers if all(math.isfinite(n) for n in numbers) else []
