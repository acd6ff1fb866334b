"""Slices and projections of volumes: turned as bodies are looked at, with square pixels."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

import partinr
from page_parser import require_self_contained
from partinr.report.volume_views import stretched, view_of, volume_views
from partinr.signals import Axis, Signal, SignalSpec, from_array
from partinr.signals.volumes.geometry import described

# A body of 4 samples up, 5 to the back and 6 to the left, as it is looked at; and their distances.
SIDES = (3.0, 2.0, 1.0)


def body() -> ndarray:
    return np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)


def stored(order: tuple[int, int, int], flips: tuple[int, ...]) -> Signal:
    """The body as a scanner with other habits stores it, and the affine of that grid."""
    values = np.flip(body(), flips).transpose(order)
    affine = np.zeros((3, 4))
    for axis, turned in enumerate(order):
        # Downwards, backwards and leftwards are against the world's directions.
        sign = 1 if turned in flips else -1
        affine[2 - turned, 2 - axis] = sign * SIDES[turned]
    axes, source = described(affine)
    signal = from_array(np.ascontiguousarray(values), channels_last=False, kind="volume")
    return replace(signal, spec=replace(signal.spec, axes=axes, source=source))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_a_body_is_looked_at_the_same_way_however_it_is_stored(
    order: tuple[int, int, int], flips: tuple[int, ...]
) -> None:
    signal = stored(order, flips)
    view = view_of(signal.spec)
    np.testing.assert_array_equal(view.turned(signal.values)[..., 0], body())
    assert view.steps == SIDES
    assert view.names == ("axial", "coronal", "sagittal")


def test_what_no_world_is_known_of_is_left_as_it_is() -> None:
    plain = SignalSpec("volume", (4, 5, 6), 1, "uint8", (0, 255), False)
    assert view_of(plain) == ((0, 1, 2), (), (1.0, 1.0, 1.0), ())
    spaced = replace(plain, axes=(Axis("z", "mm", -3), Axis("y", "mm", 2), Axis("x", "mm", 0.5)))
    assert view_of(spaced) == ((0, 1, 2), (), (3.0, 2.0, 0.5), ())


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        ((1, 1), (10, 20)),
        ((3, 1), (30, 20)),
        ((1, 3), (10, 60)),
        ((0.5, 1), (10, 40)),
        ((2000, 1), (1024, 1)),
    ],
)
def test_pixels_become_square(steps: tuple[float, float], size: tuple[int, int]) -> None:
    assert stretched(np.zeros((10, 20, 3), np.uint8), steps).shape[:2] == size


@pytest.mark.parametrize("channels", [1, 3])
def test_views_show_slices_projections_and_errors(channels: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 255, (12, 13, 14, channels), dtype=np.uint8)
    signal = from_array(values, channels_last=True, kind="volume")
    made = np.clip(values.astype(int) + 10, 0, 255).astype(np.uint8)
    html = "".join(volume_views(signal, made))
    for name in ("Slice 6 of 0 to 11", "Slice 6 of 0 to 12", "Slice 7 of 0 to 13", "Maximum projection"):
        for what in ("original", "reconstruction", "error"):
            assert f"{name}, {what}" in html
    assert html.count("<img") == 12


def test_the_report_of_a_volume(tmp_path: Path) -> None:
    signal = stored((0, 1, 2), ())
    result = partinr.fit(signal, goal=partinr.Compact(psnr=40))
    partinr.write_report(tmp_path / "a.html", result)
    html = (tmp_path / "a.html").read_text(encoding="utf-8")
    require_self_contained(html)
    assert "(axial), original" in html
    assert "Maximum projection, error" in html
