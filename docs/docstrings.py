"""An extension of the manual's API reference: this project's docstrings as the reference understands them.

`Example:` holds doctests, which are shown as code; `Source:` says where something comes from; and a star is
a star.
"""

from __future__ import annotations

import re
from typing import Any

import griffe


class Headings(griffe.Extension):
    """Rewrites docstrings when they are collected; the sources stay as they are."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = "\n".join(_line(line) for line in obj.docstring.value.split("\n"))


def _line(line: str) -> str:
    if line.lstrip().startswith((">>>", "...")):
        return line
    if line == "Example:":
        return "Examples:"
    pieces = re.sub(r"^Source: ", "**Source:** ", line).split("`")
    pieces[::2] = [re.sub(r"(?<!\*)\*(?=\w)", r"\\*", piece) for piece in pieces[::2]]
    return "`".join(pieces)
