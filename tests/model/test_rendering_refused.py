"""Sizes, scales and crops that cannot be rendered are refused in one line, before any work."""

import json
import subprocess
import sys
from math import inf, nan
from typing import Any

import pytest

from helpers import noise
from partinr import Grid, InputError, PiecewiseINR, Siren, render
from partinr.model import rendering
from partinr.model.rendering import render_blocks


@pytest.fixture(scope="module")
def model() -> PiecewiseINR:
    signal = noise((8, 12))
    return PiecewiseINR(Grid(2, 2).partition(signal), Siren(4, 0), signal.spec, "local")


CASES: list[tuple[dict[str, Any], str]] = [
    ({"size": 5}, "the size must have 2 whole positive numbers"),
    ({"size": "5x5"}, "the size must have 2 whole"),
    ({"size": (5,)}, "the size must have 2 whole"),
    ({"size": (5, 5, 5)}, "the size must have 2 whole"),
    ({"size": (5.0, 5)}, "the size must have 2 whole"),
    ({"size": (True, 5)}, "the size must have 2 whole"),
    ({"size": ("5", 5)}, "the size must have 2 whole"),
    ({"size": (0, 5)}, "the size must have 2 whole"),
    ({"size": (-3, 5)}, "the size must have 2 whole"),
    ({"size": {5: 1, 6: 1}}, "the size must have 2 whole"),
    ({"size": (10**400, 5)}, "axes of at most"),
    ({"size": (4, 4), "scale": 2}, "either a size or a scale"),
    ({"scale": (1, 2)}, "the scale must be a number"),
    ({"scale": "2"}, "the scale must be a number"),
    ({"scale": True}, "the scale must be a number"),
    ({"scale": nan}, "the scale must be a positive number"),
    ({"scale": inf}, "the scale must be a positive number"),
    ({"scale": -1}, "the scale must be a positive number"),
    ({"scale": 0}, "the scale must be a positive number"),
    ({"scale": 10**400}, "the scale must be a number that a double can hold"),
    ({"scale": 1e308}, "take a smaller one"),
    ({"scale": 1e9}, "96,000,000,000,000,000,000 samples takes 96,000,000,000,000,000,000 bytes"),
    ({"crop": 3}, "the crop must have 2 pairs"),
    ({"crop": (0, 4)}, "the crop must have 2 pairs"),
    ({"crop": ("ab", "cd")}, "the crop must have 2 pairs"),
    ({"crop": ((0, 4),)}, "the crop must have 2 pairs"),
    ({"crop": ((0, 4, 5), (0, 4))}, "the crop must have 2 pairs"),
    ({"crop": ((0, "4"), (0, 4))}, "the crop must be a number"),
    ({"crop": ((0, 4), (0, 13))}, "must lie in 0..12"),
    ({"crop": ((nan, 4), (0, 4))}, "must lie in 0..8"),
    ({"crop": ((4, 4), (0, 4))}, "start before it stops"),
]

# A process without the type checks of these tests.
SCRIPT = """
import json, sys
from math import inf, nan
import numpy as np
from partinr import Grid, InputError, PiecewiseINR, Siren, from_array, render
signal = from_array(np.zeros((8, 12), np.uint8))
model = PiecewiseINR(Grid(2, 2).partition(signal), Siren(4, 0), signal.spec, "local")
said = []
for options in [
    *eval(sys.argv[1]),
    {"size": np.array([3, 5])},
    {"size": [np.uint8(3), 5]},
    {"scale": np.float32(0.5)},
    {"crop": np.array([[0, 4], [0, 6]])},
]:
    try:
        said.append(f"rendered {render(model, **options).shape}")
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said() -> list[str]:
    command = [sys.executable, "-c", SCRIPT, repr([options for options, _ in CASES])]
    found: list[str] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def test_numbers_of_numpy_are_numbers(said: list[str]) -> None:
    assert said[len(CASES) :] == [f"rendered {shape}" for shape in [(3, 5), (3, 5), (4, 6), (4, 6)]]


@pytest.mark.parametrize("case", range(len(CASES)), ids=[str(options)[:40] for options, _ in CASES])
def test_one_clear_line(said: list[str], case: int) -> None:
    assert said[case].startswith("InputError: ")
    assert CASES[case][1] in said[case]
    assert "\n" not in said[case]


def test_what_there_is_no_room_for(model: PiecewiseINR, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "free_memory", lambda: 8 * 12 * 4)
    assert render(model, scale=2).shape == (16, 24, 1)
    with pytest.raises(InputError, match=r"17 x 24 = 408 samples takes 408 bytes, and 384 bytes of memory"):
        render(model, size=(17, 24))
    with pytest.raises(InputError, match="for one row"):
        render_blocks(model, size=(1, 1000))
