"""What the commands of `partinr meta` share: collections, crops and the device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import partinr
from partinr.cli import words
from partinr.cli.inputs import pixel_limit
from partinr.cli.options import how, reading
from partinr.errors import need

if TYPE_CHECKING:
    import torch

    from partinr.meta.collection import Collection

DATA = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help="A folder with images anywhere below it, an LSUN database (a folder with data.mdb), or a text "
        "file with one path a line.",
    ),
]
SIZE = Annotated[
    str | None,
    reading(
        "The part of each image that is used, from its centre. Default: that of the learning.",
        "WxH",
        "--size",
    ),
]
RESIZE = Annotated[bool, reading("First resize each image so that the part just fits in.", None, "--resize")]
WORKERS = Annotated[int, how("Processes that decode images ahead.", "N", min=0, max=256)]
DEVICE = Annotated[str, how("Where to compute, such as cuda.")]
SEED = Annotated[int, how("Decides all that is drawn.", "N", min=0, max=2**63 - 1)]


def collection(path: Path, max_pixels: str | None) -> Collection:
    """The signals of DATA."""
    return partinr.open_collection(path, max_pixels=pixel_limit(max_pixels))


def size(word: str | None, dims: int, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """The crop that --size asks for, the default, or the published one."""
    from partinr.meta.crops import default_size

    return words.size(word, dims) or default or default_size(dims)


@contextmanager
def computing(device: str, threads: int | None) -> Iterator[torch.device]:
    """A device that is there, and so many threads while this lasts.

    Raises:
        InputError: torch has no such device.
    """
    need("torch", "learning to learn")
    from partinr.engines.torch_engine import limited_threads, usable_device

    with limited_threads(threads):
        yield usable_device(device)


def skipped_rows(skipped: Mapping[str, str]) -> list[tuple[str, object]]:
    """How many signals could not be used, and which."""
    if not skipped:
        return []
    names = [f"{name} ({reason})" for name, reason in list(skipped.items())[:5]]
    more = f" and {len(skipped) - 5:,} more" if len(skipped) > 5 else ""
    return [("skipped", f"{len(skipped):,}: {'; '.join(names)}{more}")]
