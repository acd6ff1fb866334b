"""A hook of the manual's build: the command reference, a page that the command line itself makes."""

from __future__ import annotations

import inspect
import re
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer

from partinr.cli.commands import app

PAGE = "commands.md"

_INTRODUCTION = """\
# Commands

Results go to standard output, everything else to standard error. A progress bar is shown on a terminal only.
`partinr --install-completion` sets up completion for your shell, and `partinr COMMAND --help` shows what this
page says.
"""


def on_files(files: Any, *, config: Any) -> Any:
    """The pages of the manual, with this one."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, PAGE, content=commands_page()))
    return files


def commands_page() -> str:
    """The whole page."""
    program: Any = typer.main.get_command(app)
    parts = [_INTRODUCTION, _paragraphs(program.help), _options(program, "partinr")]
    for name, command in leaves(program):
        parts += [
            f"## partinr {name}\n",
            f"```text\n{_usage(name, command)}\n```\n",
            _paragraphs(command.help),
            _options(command, f"partinr {name}"),
        ]
    return "\n".join(part for part in parts if part)


def leaves(group: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every command by its words, those of groups such as `meta` too."""
    found = []
    for name, command in group.commands.items():
        words = f"{path} {name}".strip()
        found += leaves(command, words) if hasattr(command, "commands") else [(words, command)]
    return found


def _usage(name: str, command: Any) -> str:
    required = [p for p in command.params if p.required and not _is_argument(p)]
    words = ["partinr", name, *(f"{p.opts[0]} {_value(p, command)}" for p in required), "[OPTIONS]"]
    for argument in filter(_is_argument, command.params):
        words.append(argument.metavar if argument.required else f"[{argument.metavar}]")
    return " ".join(words)


def _paragraphs(text: str) -> str:
    """Help as Markdown: examples become blocks of code."""
    parts = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        before, _, example = paragraph.partition("Example: ")
        parts.append(f"```bash\n{example}\n```" if example and not before else _escaped(paragraph))
    return "\n\n".join(parts) + "\n"


def _options(command: Any, path: str) -> str:
    """Arguments and options as lists, under the headings that --help has."""
    shown = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    parts = []
    # Groups appear in the order of their first option, as in --help.
    panels = list(dict.fromkeys(_panel(p) for p in shown))
    ordered = sorted(shown, key=lambda p: panels.index(_panel(p)))
    for panel, options in groupby(ordered, _panel):
        parts.append(f"### {panel} {{ #{path.replace(' ', '-')}-{panel.lower().replace(' ', '-')} }}\n")
        parts.append("\n".join(_entry(option, command) for option in options) + "\n")
    return "\n".join(parts)


def _panel(option: Any) -> str:
    return option.rich_help_panel or ("Arguments" if _is_argument(option) else "Options")


def _entry(option: Any, command: Any) -> str:
    names = [option.metavar] if _is_argument(option) else [*option.opts, *option.secondary_opts]
    value = "" if _is_argument(option) else _value(option, command)
    term = ", ".join(f"`{name}`" for name in names) + (f" `{value}`" if value else "")
    notes = [_escaped(option.help or "")]
    if option.required and not _is_argument(option):
        notes.append("Required.")
    told = "Default:" in notes[0] or option.default is None or isinstance(option.default, bool)
    if not told:
        notes.append(f"Default: `{option.default}`.")
    return f"- {term}  \n  {' '.join(notes)}"


def _value(option: Any, command: Any) -> str:
    """What stands after an option: its placeholder, its choices, or nothing for a flag."""
    kind = _annotation(option.name, command)
    if kind is bool:
        return ""
    if option.metavar:
        return str(option.metavar)
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    return {Path: "FILE", int: "N", float: "X"}.get(kind, "TEXT")


def _annotation(name: str, command: Any) -> Any:
    """The type of a parameter, without None."""
    hints = get_type_hints(command.callback) if command.callback is not None else {}
    kind = hints.get(name, bool)  # what no function takes are Typer's own options, all of them flags
    others = [part for part in get_args(kind) if part is not type(None)]
    return others[0] if others and get_origin(kind) is not Literal else kind


def _is_argument(option: Any) -> bool:
    return option.param_type_name == "argument"


def _escaped(text: str) -> str:
    """Text in which nothing but `code` means anything to Markdown."""
    pieces = text.split("`")
    pieces[::2] = [re.sub(r"([\\*_<>])", r"\\\1", piece) for piece in pieces[::2]]
    return "`".join(pieces)
