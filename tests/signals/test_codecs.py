"""Other codecs at the PSNR of a fit, against every quality that they have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import features

import partinr
from helpers import noise, smooth
from partinr import InputError, Signal, from_array
from partinr.signals import codecs
from partinr.signals.codecs import AVIF, JPEG, WEBP, Codec, beside, comparable, decoded, png_bytes
from partinr.signals.metrics import psnr as psnr_of


def picture(channels: int = 3) -> Signal:
    """Shapes with some noise, of 8 bits."""
    shape = (40, 52)
    values = 0.9 * smooth(shape, channels).normalised() + 0.1 * noise(shape, channels).normalised()
    return from_array((255 * values).round().astype(np.uint8), channels_last=True, kind="image")


def scanned(codec: Codec, signal: Signal, psnr: float, setting: Mapping[str, Any]) -> float:
    """Bytes for a PSNR, from all qualities one after another."""
    before: tuple[int, float] | None = None
    for quality in range(codec.qualities[0], codec.qualities[1] + 1):
        payload = codec.encoded(signal.values, quality, setting)
        at = psnr_of(signal.values, decoded(payload, signal.channels), 255.0)
        if at >= psnr:
            if before is None:
                return len(payload)
            share = (psnr - before[1]) / (at - before[1])
            return math.exp(math.log(before[0]) * (1 - share) + math.log(len(payload)) * share)
        before = len(payload), at
    return math.inf


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("psnr", [3.0, 25.0, 28.0])
@pytest.mark.parametrize("codec", [JPEG, WEBP], ids=lambda codec: codec.name)
def test_finds_the_bytes_that_a_scan_of_all_qualities_finds(codec: Codec, psnr: float, channels: int) -> None:
    signal = picture(channels)
    expected = min(scanned(codec, signal, psnr, setting) for setting in codec.settings)
    (found,) = [one for one in beside(signal, psnr) if one.codec == codec.name]
    assert math.isfinite(expected)
    # A quality of WebP may have less PSNR than the one before it.
    assert found.bytes == pytest.approx(round(expected), rel=0 if codec is JPEG else 0.05)
    assert found.psnr is not None
    assert found.psnr >= psnr - 1e-9


def test_png_loses_nothing_and_has_the_bytes_of_the_file(tmp_path: Any) -> None:
    signal = picture()
    partinr.write(tmp_path / "as.png", signal.values, signal.spec)
    png = beside(signal, 30)[0]
    assert (png.codec, png.psnr, png.bytes) == ("PNG", math.inf, (tmp_path / "as.png").stat().st_size)
    assert png_bytes(from_array(np.zeros((5, 5), np.float64))) is None


def test_avif_keeps_colours_where_that_takes_less() -> None:
    # Colours that differ from one pixel to the next cannot be halved.
    values = np.zeros((32, 32, 3), np.uint8)
    values[::2, ::2, 0] = values[1::2, 1::2, 2] = 255
    signal = from_array(values, kind="image")
    halved = replace(AVIF, settings=AVIF.settings[:1])
    assert codecs._coded(halved, signal, 30).bytes is None
    assert codecs._coded(AVIF, signal, 30).bytes is not None


def test_says_why_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {one.codec: one.why for one in beside(picture(4), 25)}
    assert told["JPEG"] == "JPEG has no alpha"
    assert told["WebP"] is None
    told = {one.codec: one.why for one in beside(picture(), math.inf)}
    for name in ("JPEG", "WebP", "AVIF"):
        assert f"{name} reaches" in str(told[name])
        assert "dB at most" in str(told[name])
    long = from_array(np.zeros((1, 16_384), np.uint8), kind="image")
    assert WEBP.lacks(long.values) == "WebP has sides of at most 16,383 pixels"
    assert WEBP.lacks(long.values[:, 1:]) is None
    monkeypatch.setattr(features, "check_module", lambda name: name != "avif")
    (avif,) = [one for one in beside(picture(), 25) if one.codec == "AVIF"]
    assert (avif.bytes, avif.why) == (None, "this installation of Pillow has no AVIF")


@pytest.mark.parametrize(
    "signal",
    [
        noise((40,)),
        noise((4, 5, 6)),
        noise((9, 9), 2),
        from_array(np.eye(9)),
        from_array(np.eye(9, dtype="u2")),
    ],
    ids=lambda signal: f"{signal.values.shape} {signal.spec.dtype}",
)
def test_other_signals_are_refused(signal: Signal) -> None:
    assert not comparable(signal)
    with pytest.raises(InputError, match=r"uint8 with 1, 3 or 4 channels, got"):
        beside(signal, 30)


def test_a_single_pixel_has_files() -> None:
    for channels in (1, 3, 4):
        found = beside(
            from_array(np.full((1, 1, channels), 77, np.uint8), channels_last=True, kind="image"), 20
        )
        assert all((one.bytes is None) == (one.why is not None) for one in found)
