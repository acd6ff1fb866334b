"""Words of the command line become objects, with the axes turned around."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from partinr import Grid, InputError, Siren
from partinr.cli import words
from partinr.cli.console import duration, printable


def test_rule_and_network() -> None:
    assert words.rule("grid:2x3") == Grid(2, 3)
    assert words.network(None, hidden=None) is None
    assert words.network(None, hidden=7, layers=None) == Siren(hidden=7)
    assert words.network("siren", hidden=7, layers=3, omega_0=5.0) == Siren(hidden=7, layers=3, omega_0=5.0)


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (lambda: words.size(None, 2), None),
        (lambda: words.size("640x480", 2), (480, 640)),
        (lambda: words.size("640X480", 2), (480, 640)),
        (lambda: words.size("640×480", 2), (480, 640)),
        (lambda: words.size("9", 1), (9,)),
        (lambda: words.size("3x2x1", 3), (1, 2, 3)),
        (lambda: words.crop(None, 2), None),
        (lambda: words.crop("1,2,3,4.5", 2), ((2.0, 4.5), (1.0, 3.0))),
        (lambda: words.crop("0,5", 1), ((0.0, 5.0),)),
        (lambda: words.crop("1,2,3,4,5,6", 3), ((3.0, 6.0), (2.0, 5.0), (1.0, 4.0))),
        (lambda: words.batch(None), None),
        (lambda: words.batch("full"), "full"),
        (lambda: words.batch("128"), 128),
        (lambda: words.limit("none"), None),
        (lambda: words.limit("10"), 10),
        (lambda: words.interval(None), None),
        (lambda: words.interval("-1,2.5"), (-1.0, 2.5)),
        (lambda: words.spelled((1, 2, 3)), "3x2x1"),
    ],
)
def test_words(call: Callable[[], Any], value: object) -> None:
    assert call() == value


@pytest.mark.parametrize(
    ("call", "said"),
    [
        *[
            ((lambda word=word: words.size(word, 2)), "--size must be WxH")
            for word in (
                "",
                "5",
                "5x",
                "x5",
                "0x5",
                "-1x5",
                "5x5x5",
                "5.0x5",
                "5,5",
                "axb",
                "9" * 5000,
                "5 x5",
            )
        ],
        (lambda: words.size("4x4", 1), "--size must be N "),
        (lambda: words.size("4x4", 3), "--size must be WxHxP "),
        *[
            ((lambda word=word: words.crop(word, 2)), "--crop must be X0,Y0,X1,Y1")
            for word in ("", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1,2,3,nan", "1,2,3,inf", "1 2 3 4", "1,2,3,")
        ],
        (lambda: words.crop("1,2,3,4", 1), "--crop must be X0,X1"),
        (lambda: words.crop("1,2", 3), "--crop must be X0,Y0,P0,X1,Y1,P1"),
        *[
            ((lambda word=word: words.batch(word)), "--batch must be")
            for word in ("", "0", "-1", "1.5", "all", "FULL", "9" * 30)
        ],
        *[((lambda word=word: words.limit(word)), "--max-pixels must be") for word in ("", "0", "-1", "no")],
        *[
            ((lambda word=word: words.interval(word)), "--value-range must be")
            for word in ("", "1", "1,2,3", "a,b", "nan,1", "0,inf")
        ],
    ],
)
def test_words_that_are_none(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(said)) as caught:
        call()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-:--"), (float("inf"), "-:--"), (0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_printable() -> None:
    assert printable("plain é 图") == "plain é 图"
    assert printable("two\nlines\x1b[31m\udcff") == "two\\nlines\\x1b[31m\\udcff"
