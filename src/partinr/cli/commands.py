"""All commands together."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import partinr
from partinr.cli.exits import Interrupted, exit_code
from partinr.cli.files import check_working_folder

_COMMANDS = ("fit", "render", "view", "info", "serve", "partition", "compare", "demo", "meta", "hypothesis")


class Commands(TyperGroup):
    """The commands together, with one line on standard error and an exit code for whatever goes wrong."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = _WhenAsked()

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


class _WhenAsked(Mapping[str, Any]):
    """The commands by name, each made when it is looked up: all their options take longer than most run."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name in _COMMANDS and name not in self._made:
            self._made[name] = _command(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


def _command(name: str) -> Any:
    """A command, or a group of them, as Typer makes it."""
    one = typer.Typer()
    if name == "meta":
        from partinr.cli.meta.evaluate import evaluate
        from partinr.cli.meta.train import train

        told = "Learning to learn: a start from which a new image is fitted in a few steps."
        one.add_typer(_together({"train": train, "eval": evaluate}), name=name, help=told)
    elif name == "hypothesis":
        from partinr.cli.hypothesis.commands import COMMANDS
        from partinr.cli.hypothesis.driver import as_function

        told = (
            "The paper's evidence measured again: steps to learn a signal against its number of boundaries."
        )
        one.add_typer(_together({kind.name: as_function(kind) for kind in COMMANDS}), name=name, help=told)
    else:
        one = _together({name: getattr(import_module(f"partinr.cli.{name}"), name)})
    return typer.main.get_group(one).commands[name]


def _together(functions: Mapping[str, Callable[..., Any]]) -> typer.Typer:
    """Functions as commands, their docstrings the help."""
    group = typer.Typer()
    for name, function in functions.items():
        group.command(name, help=_unwrapped(function.__doc__))(function)
    return group


def _unwrapped(text: str | None) -> str:
    """A docstring with one line for each paragraph, which Typer wraps to the terminal."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(text or ""))


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


app = typer.Typer(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.callback(help=_unwrapped(top.__doc__))(top)
