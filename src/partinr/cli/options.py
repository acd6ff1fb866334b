"""Options that mean the same in several commands."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from partinr.cli import words


def option(
    text: str, metavar: str | None = None, *names: str, panel: str | None = None, **others: Any
) -> Any:
    """An option with a help text and what stands for its value there, in a panel of the help."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=panel, **others)


reading, how, out = (partial(option, panel=name) for name in ("How to read it", "How", "What to write"))
"""Options of the panels that many commands have."""

ENGINE = Annotated[
    words.Engine, how("torch, cpu (the native kernel), or auto: the fastest that can do what is asked.")
]
DEVICE = Annotated[str, how("Where the torch engine computes, such as cuda.")]
THREADS = Annotated[int | None, how("CPU threads; all by default.", "N", min=1, max=1024)]
QUIET = Annotated[bool, out("No progress bar and no summary.", None, "--quiet", "-q")]
AS_JSON = Annotated[bool, out("One JSON object on standard output, nothing else.", None, "--json")]
