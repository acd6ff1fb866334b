"""Samples that are missing, in reports: what fills them is never shown as the original, nor judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import partinr
from helpers import noise
from partinr import Axis, Grid, InputError, Signal, from_array
from partinr.report.enlarging import enlarged
from partinr.report.fit_report import fit_sections
from partinr.report.overlay import overlay
from partinr.report.pictures import error_map, error_rgb, error_top, mean_error
from partinr.report.plots import envelope
from partinr.report.view.page import view
from partinr.signals import as_signal
from partinr.signals.codecs import WEBP, beside

SHAPES = {"array": (300,), "sound": (3000,), "image": (40, 52), "volume": (14, 16, 18), "video": (5, 24, 32)}


def with_holes(kind: str) -> Signal:
    """A block is missing, one sample in three, and the middle plane of three axes."""
    shape = SHAPES[kind]
    eight = noise(shape, 1 if kind == "volume" else 3).values
    values = eight / np.float32(7) if kind == "volume" else eight
    there = np.arange(np.prod(shape)).reshape(shape) % 3 > 0
    there[tuple(slice(n // 4, n // 2) for n in shape)] = False
    if len(shape) == 3:
        there[shape[0] // 2] = False
    signal = from_array(values, kind=kind, channels_last=True)  # type: ignore[arg-type]
    if kind == "sound":
        signal = replace(signal, spec=replace(signal.spec, axes=(Axis("t", "s", 1 / 8000),)))
    return as_signal(signal, there)


def otherwise_filled(signal: Signal) -> Signal:
    assert signal.mask is not None
    return replace(signal, values=np.where(signal.mask[..., None], signal.values, signal.values[::-1]))


@pytest.mark.parametrize("kind", SHAPES)
def test_nothing_depends_on_the_filling(kind: str) -> None:
    signal = with_holes(kind)
    result = partinr.fit(signal, Grid(*[2] * signal.spec.dims), goal=partinr.Steps(2))
    other = otherwise_filled(signal)
    assert not np.array_equal(signal.values, other.values)
    filters = ("Enlarged", "Where regions meet", "Beside other codecs")  # which need values everywhere
    pages = [
        {
            section.title: "".join(section.blocks)
            for section in fit_sections(one)
            if section.title not in filters
        }
        for one in (result, replace(result, signal=other))
    ]
    for name, shown in pages[0].items():
        assert shown == pages[1][name], name
    told = f"{signal.missing:,} of {signal.spec.samples:,} samples are missing: "
    assert sum(told in shown for shown in pages[0].values()) == (2 if kind == "sound" else 1)
    assert f"{result.psnr:.2f} dB, over what is there" in pages[0]["Result"]
    assert np.array_equal(overlay(signal, result.model.partition), overlay(other, result.model.partition))
    if kind == "image":
        pixels = [enlarged(result.model, one, ((8, 20), (8, 20)), 2)[0].rgb for one in (signal, other)]
        assert np.array_equal(*pixels)


def test_errors_are_of_what_is_there() -> None:
    spec = from_array(np.zeros((4, 5)), value_range=(0, 2)).spec
    there = np.arange(20).reshape(4, 5) > 9
    error = error_map(np.zeros((4, 5, 1)), np.full((4, 5, 1), 0.5), spec, there)
    assert np.array_equal(np.isnan(error), ~there)
    assert (error[there] == 25).all()
    assert mean_error(error) == "mean 25.00 %."
    assert error_top([error, np.full((2, 2), np.nan, np.float32)]) == 30
    colours = error_rgb(error, 25.0)
    assert np.array_equal(colours[there], error_rgb(np.full((1, 10), 25, np.float32), 25.0)[0])
    assert np.isin(colours[~there], (190, 235)).all()
    nothing = np.full((2, 2), np.nan, np.float32)
    assert (mean_error(nothing), error_top([nothing])) == ("Nothing is there.", 1.0)


def test_a_long_curve_has_gaps_where_nothing_is_there() -> None:
    values = np.ones(30_000)
    values[::2] = np.nan
    values[10_000:20_000] = np.nan
    x, y = envelope(values)
    inside = (x >= 10_020) & (x < 19_980)
    assert np.isnan(y[inside]).all()
    assert (y[(x < 9_980) | (x > 20_000)] == 1).all()


def test_pages_of_the_function_have_no_filling(tmp_path: Path) -> None:
    signal = with_holes("image")
    partinr.save(partinr.fit(signal, goal=partinr.Steps(1)).model, tmp_path / "fit.inr")
    pages = [view(tmp_path / "fit.inr", one)[0] for one in (signal, otherwise_filled(signal))]
    assert pages[0] == pages[1]
    curve = with_holes("array")
    partinr.save(partinr.fit(curve, goal=partinr.Steps(1)).model, tmp_path / "curve.inr")
    with pytest.raises(InputError, match=f"{curve.missing} samples of the original are missing"):
        view(tmp_path / "curve.inr", curve)


def test_other_codecs_are_judged_by_what_is_there() -> None:
    ramp = np.linspace(0, 255, 64 * 64).astype(np.uint8).reshape(64, 64)
    signal = as_signal(ramp, np.arange(64)[:, None] + np.zeros(64, int) < 32)
    assert signal.mask is not None
    # Noise, which WebP cannot have at this quality, where nobody looks.
    hidden = replace(signal, values=np.where(signal.mask[..., None], signal.values, noise((64, 64)).values))
    whole = replace(hidden, mask=None)
    judged, all_judged = (
        next(coded for coded in beside(one, 46) if coded.codec == WEBP.name) for one in (hidden, whole)
    )
    assert judged.bytes is not None
    assert all_judged.bytes is None or all_judged.bytes > judged.bytes
