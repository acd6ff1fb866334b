"""Options that mean the same in several commands."""

from __future__ import annotations

from typing import Annotated

import typer

from partinr.cli import words

HOW, OUT = "How", "What to write"
"""Panels of the help that many commands have."""

ENGINE = Annotated[
    words.Engine,
    typer.Option(
        help="torch, cpu (the native kernel), or auto: the fastest that can do what is asked.",
        rich_help_panel=HOW,
    ),
]
DEVICE = Annotated[
    str, typer.Option(help="Where the torch engine computes, such as cuda.", rich_help_panel=HOW)
]
THREADS = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=1024, help="CPU threads; all by default.", rich_help_panel=HOW),
]
QUIET = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.", rich_help_panel=OUT)
]
AS_JSON = Annotated[
    bool,
    typer.Option("--json", help="One JSON object on standard output, nothing else.", rich_help_panel=OUT),
]
