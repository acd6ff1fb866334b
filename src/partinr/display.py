"""Objects that show themselves: the one way up, to `plot` and `notebook`, by name and when it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Displayed:
    """What notebooks show, and plot, of an object; `partinr.notebook` and `partinr.plot` say how."""

    __slots__ = ()

    def plot(self, axes: Any = None) -> Any:
        """Draw this into matplotlib's axes; see `partinr.plot`.

        Args:
            axes: to draw into, as many as there are pictures; None: those of a new figure.

        Returns:
            The axes: one, or an array of several.
        """
        axes_of: Any = import_module("partinr.plot").drawn(self, axes)
        return axes_of

    def displayed(self) -> Any:
        """What is shown in this object's place."""
        return self

    def __repr__(self) -> str:
        return f"<{import_module('partinr.notebook').line(self)}>"

    def _repr_html_(self) -> str:
        html: str = import_module("partinr.notebook").html(self)
        return html

    def _repr_png_(self) -> bytes | None:
        png: bytes | None = import_module("partinr.notebook").png(self)
        return png
