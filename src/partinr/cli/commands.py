"""All commands together."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import partinr
from partinr.cli.compare import compare
from partinr.cli.demo import demo
from partinr.cli.exits import Interrupted, exit_code
from partinr.cli.files import check_working_folder
from partinr.cli.fit import fit
from partinr.cli.hypothesis.commands import COMMANDS
from partinr.cli.hypothesis.driver import as_function
from partinr.cli.info import info
from partinr.cli.meta.evaluate import evaluate
from partinr.cli.meta.train import train
from partinr.cli.partition import partition
from partinr.cli.render import render


class Commands(TyperGroup):
    """The commands together, with one line on standard error and an exit code for whatever goes wrong."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **kwargs: Any) -> Any:
        """Run a command line, of this process if none is given, and exit; an empty one asks for help."""
        words = list(sys.argv[1:] if args is None else args) or ["--help"]
        kwargs = {**kwargs, "prog_name": "partinr", "standalone_mode": False}
        sys.exit(exit_code(lambda: super(Commands, self).main(words, *rest, **kwargs)))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that a context names."""
        try:
            check_working_folder()
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Which Typer would turn into an exit code without a word.
            raise Interrupted from None


def _unwrapped(text: str | None) -> str:
    """A docstring with one line for each paragraph, which Typer wraps to the terminal."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(text or ""))


app = typer.Typer(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for command in (fit, render, info, partition, compare, demo):
    app.command(help=_unwrapped(command.__doc__))(command)

meta = typer.Typer()
meta.command("train", help=_unwrapped(train.__doc__))(train)
meta.command("eval", help=_unwrapped(evaluate.__doc__))(evaluate)
app.add_typer(
    meta, name="meta", help="Learning to learn: a start from which a new image is fitted in a few steps."
)

hypothesis = typer.Typer()
for kind in COMMANDS:
    hypothesis.command(kind.name, help=_unwrapped(kind.__doc__))(as_function(kind))
app.add_typer(
    hypothesis,
    name="hypothesis",
    help="The paper's evidence measured again: steps to learn a signal against its number of boundaries.",
)


def _version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"partinr {partinr.__version__}")
        raise typer.Exit
    return wanted


def top(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Signals as many small neural networks: fit a picture or an array piece by piece, keep it in one small
    file, get it back at any size.

    Exit codes: 0 done; 1 the fit failed or fell short of --psnr; 2 wrong usage or unreadable input; 130
    interrupted.
    """


app.callback(help=_unwrapped(top.__doc__))(top)
