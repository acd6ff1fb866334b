"""Telling where a demonstration stands."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str, float], "bool | None"]
"""Told what is done and the share that is; stops everything by returning True."""


def telling(callback: Report | None) -> Callable[[str, float], None]:
    """What tells a callback, if there is one.

    Raises:
        KeyboardInterrupt: in the call in which the callback returns True.
    """

    def tell(what: str, done: float) -> None:
        if callback is not None and callback(what, done):
            raise KeyboardInterrupt

    return tell
