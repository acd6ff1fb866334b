"""The signal-to-noise ratio, and goals that are named by it."""

from __future__ import annotations

import numpy as np
import pytest

from partinr import Axis, Compact, InputError, Signal, fit, from_array, psnr_for_snr, read, render, save, snr
from partinr.model.networks import Cosine


def tone(samples: int = 6000, dtype: str = "int16", channels: int = 1) -> Signal:
    t = np.arange(samples)[:, None] * (1 + np.arange(channels))
    wave = 0.3 * np.sin(t / 9) + 0.1 * np.sin(t / 2.3) + np.random.default_rng(0).normal(0, 1e-3, t.shape)
    scaled = wave if dtype[0] == "f" else np.rint(wave * np.iinfo(dtype).max)
    return from_array(scaled.astype(dtype), kind="sound", axes=[Axis("t", "s", 1 / 8000)])


def by_definition(signal: Signal, values: np.ndarray) -> float:
    exact, made = signal.values.astype(float), values.reshape(signal.values.shape).astype(float)
    return 10 * np.log10(exact.var(axis=0).sum() / ((made - exact) ** 2).mean(axis=0).sum())


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_a_sound_is_fitted_to_40_db(dtype: str, channels: int, tmp_path) -> None:  # type: ignore[no-untyped-def]
    sound = tone(dtype=dtype, channels=channels)
    result = fit(sound)
    values = render(result.model)
    assert 40 <= by_definition(sound, values) < 40.2
    assert result.snr == pytest.approx(by_definition(sound, values), abs=1e-6)
    assert snr(sound.values, values.reshape(sound.values.shape)) == pytest.approx(result.snr, abs=1e-6)
    assert save(result.model, tmp_path / "a.inr", store="auto", signal=sound).snr == pytest.approx(result.snr)


def test_an_snr_names_a_psnr() -> None:
    sound = tone()
    result = fit(sound, goal=Compact(psnr=psnr_for_snr(sound, 55)))
    assert 55 <= by_definition(sound, render(result.model)) < 55.2


def test_offsets_are_no_sound() -> None:
    values = np.array([[0.0], [2.0], [0.0], [2.0]])
    assert snr(values + 1e6, 1e6 + 0.99 * (values - 1) + 1) == pytest.approx(40, abs=1e-4)
    assert snr(values, values) == np.inf
    assert snr(np.ones((3, 1)), np.zeros((3, 1))) == -np.inf


def test_silence_has_none() -> None:
    silent = from_array(np.full(3000, 7, np.int16), kind="sound", axes=[Axis("t", "s", 1 / 8000)])
    with pytest.raises(InputError, match="constant has no SNR"):
        psnr_for_snr(silent, 40)
    result = fit(silent)
    assert result.snr is None
    assert result.psnr >= 42
    with pytest.raises(InputError, match="must be above"):
        psnr_for_snr(tone(), -200)


def test_long_sounds_keep_their_samples() -> None:
    """In single precision, coordinates of so many samples are the same for neighbours."""
    samples = 40_000_000
    box = np.arange(1024)
    wave = np.cos(np.pi * 700 * (2 * box + 1) / 2048).astype(np.float32)
    from partinr.model.networks.network import Parameters
    from partinr.model.partition.partition import Partition
    from partinr.model.piecewise import Piecewise
    from partinr.model.structure import Structure
    from partinr.signals.signal import SignalSpec

    first = samples - 3 * 1024
    boxes = np.array([[[0], [first]], [[first], [first + 1024]], [[first + 1024], [samples]]])
    partition = Partition.from_boxes((samples,), boxes, "three")
    spec = SignalSpec("array", (samples,), 1, "float32", (0.0, 1.0), False)
    weights = np.zeros((3, 1023, 1), np.float32)
    weights[1, 699] = 1
    structure = Structure(partition, (Cosine(1024),), spec, "area", blend=True)
    model = Piecewise(structure, (Parameters([weights], [np.zeros((3, 1), np.float32)]),))
    found = render(model, crop=((first, first + 1024),))
    np.testing.assert_allclose(found, wave, atol=1e-3)
    from partinr.model import kernel

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "why_missing", lambda: "left out")
        again = render(model, crop=((first, first + 1024),))
    np.testing.assert_allclose(again, wave, atol=1e-3)


@pytest.mark.parametrize("psnr", [90.0, 96.0])
def test_16_bits_are_reached(psnr: float) -> None:
    sound = tone(44_100)
    assert fit(sound, goal=Compact(psnr=psnr)).reached


def test_the_demonstration(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from page_parser import require_self_contained
    from partinr.studies.demo_sound import run_sound

    done = run_sound(tmp_path / "new", seconds=0.5)
    made, fitted, lower = (read(path) for path in (done.made, done.rendered, done.lower))
    assert by_definition(made, fitted.values) >= 40
    assert lower.shape == (made.shape[0] // 2,)
    assert lower.spec.axes == (Axis("t", "s", 1 / 22_050),)
    page = require_self_contained(done.report.read_text(encoding="utf-8"))
    assert page.tags.count("audio") == 3
    assert ("SNR", f"{done.saved.snr:.2f} dB") in page.definitions
