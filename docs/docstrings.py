"""An extension of the manual's API reference: what the docstrings' own headings mean.

`Example:` holds doctests, which the reference shows as code; `Source:` says where something comes from.
"""

from __future__ import annotations

import re
from typing import Any

import griffe


class Headings(griffe.Extension):
    """Turns the headings of this project's docstrings into those that the reference knows."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every class, function and attribute."""
        if obj.docstring is None:
            return
        text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
        obj.docstring.value = re.sub(r"^Source: ", "**Source:** ", text, flags=re.MULTILINE)
