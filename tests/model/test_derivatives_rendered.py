"""Renderings of derivatives: units, sizes, means, and what makes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

from models import cells, made, scattered
from partinr import Axis, InputError, Partition, Piecewise, Siren, render
from partinr.model import rendering
from partinr.model.derivatives import Rendered
from partinr.model.rendering import render_blocks, rendered_spec
from partinr.signals import frames

SOFT = Siren(5, 1, 2.0, 2.0)
each_kind = pytest.mark.parametrize(
    "partition", [cells((9, 12), 3, 2), scattered((9, 12), 4)], ids=lambda p: p.rule
)


def with_axes(model: Piecewise, *axes: Axis) -> Piecewise:
    """The same function of a signal of which a file said where its samples are."""
    structure = replace(model.structure, signal=replace(model.signal, axes=axes))
    return Piecewise(structure, model.parameters)


def at(model: Piecewise, size: tuple[int, ...]) -> ndarray:
    """Global coordinates of the middles of a rendering's samples."""
    pairs = zip(model.signal.shape, size, strict=True)
    points = frames.lattice([frames.resampled_axis(n, length) for n, length in pairs])
    return points.reshape(*size, len(size))


@each_kind
@pytest.mark.parametrize("size", [(9, 12), (20, 31)])
@pytest.mark.usefixtures("way")
def test_values_per_sample(partition: Partition, size: tuple[int, int]) -> None:
    model = made(partition, SOFT, span=(-3.0, 7.0), dtype="uint8", blend=True, overlap=1)
    points = at(model, size)
    unit = 10.0 * np.array([2 / 8, 2 / 11])  # 10 value units over the range, coordinates of a sample
    slopes = model.jacobian(points) * unit
    gradient = render(model, size=size, derivative="gradient")
    assert gradient.dtype == np.float32
    assert gradient.shape == (*size, 2, 2)
    close: Any = {"rtol": 0, "atol": 1e-5 * np.abs(slopes).max()}
    np.testing.assert_allclose(gradient, np.moveaxis(slopes, -1, -2), **close)
    for a, name in enumerate("yx"):
        np.testing.assert_allclose(render(model, size=size, derivative=name), slopes[..., a], **close)
    bends = sum(model.derivative(points, a, 2) * unit[a] ** 2 / 10 for a in (0, 1))
    found = render(model, size=size, derivative="laplacian")
    np.testing.assert_allclose(found, bends, rtol=0, atol=1e-5 * np.abs(bends).max())


@each_kind
@pytest.mark.parametrize("size", [(3, 4), (1, 1), (4, 30), (18, 6)])
@pytest.mark.usefixtures("way")
def test_smaller_renderings_are_means(partition: Partition, size: tuple[int, int]) -> None:
    model = made(partition, SOFT, blend=True)
    # Weights bend where these parts end.
    fine = tuple((360 if n == 1 else 36) * n if n < 9 else n for n in size)
    many = render(model, size=fine, derivative="gradient")
    means = many.reshape(size[0], fine[0] // size[0], size[1], fine[1] // size[1], 2, 2).mean(axis=(1, 3))
    found = render(model, size=size, derivative="gradient")
    np.testing.assert_allclose(found, means, rtol=0, atol=2e-3 * np.abs(many).max())


def test_jumps_are_part_of_means() -> None:
    model = made(cells((12,), 3), SOFT, blend=False)
    mean = render(model, size=(1,), derivative="x")
    ends = model(np.array([[-1 - 1 / 11], [1 + 1 / 11]]))
    np.testing.assert_allclose(mean[0], (ends[1] - ends[0]) / 12, rtol=0, atol=1e-6)
    assert np.abs(render(model, size=(1,), derivative="x", point=True) - mean).max() > 1e-3


@pytest.mark.parametrize("size", [(9, 12), (4, 5), (4, 30)])
@pytest.mark.parametrize("word", ["gradient", "laplacian"])
def test_slabs_make_no_difference(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], word: str) -> None:
    model = made(cells((9, 12), 3, 2), SOFT, blend=True)
    expected = render(model, size=size, derivative=word)
    monkeypatch.setattr(rendering, "_SLAB", 30)
    blocks = list(render_blocks(model, size, derivative=word))
    assert len(blocks) > 1
    found = np.concatenate(blocks).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize("between", ["smooth", "learned"])
@pytest.mark.parametrize("point", [True, False])
@pytest.mark.usefixtures("way")
def test_of_what_lies_between_the_samples(between: Any, point: bool) -> None:
    model = made(cells((40, 48), 3, 2), SOFT, blend=True).with_between(between)
    crop, size, step = [(12.0, 20.0), (12.0, 16.0)], (24, 9), 0.01
    gradient = render(model, crop=crop, size=size, derivative="gradient", point=point)
    laplacian: Any = 0
    for a, move in enumerate(step * np.eye(2)):
        places = [[(x + s * d, y + s * d) for (x, y), d in zip(crop, move, strict=True)] for s in (-1, 0, 1)]
        before, here, after = (render(model, crop=c, size=size, point=point).astype(float) for c in places)
        slope = (after - before) / (2 * step)
        np.testing.assert_allclose(gradient[..., a, :], slope, rtol=0, atol=2e-3 * np.abs(slope).max())
        laplacian = laplacian + (after - 2 * here + before) / step**2
    found = render(model, crop=crop, size=size, derivative="laplacian", point=point)
    np.testing.assert_allclose(found, laplacian, rtol=0, atol=0.03 * np.abs(laplacian).max())


def test_at_its_own_size_a_smooth_function_has_means_of_slopes() -> None:
    model = made(cells((17,), 4), SOFT, blend=True)
    networks, smooth = (render(model, derivative="x", between=b) for b in ("none", "smooth"))
    assert np.abs(networks - smooth).max() > 1e-4
    # Each is the difference of the function at the ends of the sample's area: together, of the ends of all.
    ends = render(model, crop=[(4, 13)], size=(9000,), between="smooth", point=True)[[0, -1]]
    np.testing.assert_allclose(smooth[4:13].sum(axis=0), ends[1] - ends[0], rtol=0, atol=2e-3)


def test_crops_and_one_axis() -> None:
    model = made(cells((17,), 4), SOFT, channels=1, blend=True)
    whole = render(model, derivative="x")
    assert whole.shape == (17,)
    np.testing.assert_allclose(render(model, crop=[(3, 9)], derivative="x"), whole[3:9], rtol=0, atol=1e-5)
    assert render(model, derivative="gradient").shape == (17, 1)
    np.testing.assert_array_equal(render(model, derivative="gradient")[:, 0], whole)


@pytest.mark.usefixtures("way")
def test_an_axis_of_one_sample_has_no_slope() -> None:
    model = made(cells((7, 1), 2, 1), SOFT, "global", blend=True)
    for size in ((7, 1), (3, 1), (7, 2)):
        found = render(model, size=size, derivative="gradient")
        assert not found[..., 1, :].any()
        assert found[..., 0, :].any()


def test_units_are_those_of_the_axes() -> None:
    plain = made(cells((9, 12), 3, 2), SOFT, blend=True)
    model = with_axes(plain, Axis("t", "s", 1 / 25), Axis("depth", "mm", -0.5, 3.0))
    for size in ((9, 12), (4, 6)):
        expected = render(plain, size=size, derivative="gradient")
        found = render(model, size=size, derivative="gradient")
        np.testing.assert_allclose(found[..., 0, :], 25 * expected[..., 0, :], rtol=1e-6)
        np.testing.assert_allclose(found[..., 1, :], -2 * expected[..., 1, :], rtol=1e-6)
        np.testing.assert_array_equal(render(model, size=size, derivative="depth"), found[..., 1, :])
    assert Rendered("t", model.signal).unit == "per s"
    assert Rendered("gradient", model.signal).unit == "per s, mm"
    # Time is no part of a Laplacian.
    bends = plain.derivative(at(plain, (9, 12)), 1, 2) * (2 / 11) ** 2 * 4
    np.testing.assert_allclose(render(model, derivative="laplacian"), bends, rtol=0, atol=1e-4)
    assert Rendered("laplacian", model.signal).unit == "per mm²"
    with pytest.raises(InputError, match="must be t, depth, gradient or laplacian, got 'x'"):
        render(model, derivative="x")


def test_a_sound_has_a_laplacian_over_time() -> None:
    model = with_axes(made(cells((17,), 4), SOFT, blend=True), Axis("t", "s", 0.1))
    expected = model.derivative(at(model, (17,)), 0, 2) * (2 / 16) ** 2 * 100
    np.testing.assert_allclose(
        render(model, derivative="laplacian"), expected, rtol=0, atol=1e-5 * np.abs(expected).max()
    )


def test_different_units_are_not_added() -> None:
    model = with_axes(made(cells((9, 12), 3, 2), SOFT), Axis("wavelength", "nm"), Axis("x", "m"))
    with pytest.raises(
        InputError, match="whose units are nm, m; render those along wavelength, x one by one"
    ):
        render(model, derivative="laplacian")


@pytest.mark.parametrize("word", ["z", "", "Gradient"])
def test_no_such_word(word: Any) -> None:
    model = made(cells((9, 12), 3, 2), SOFT)
    for call, of in ((render, model), (render_blocks, model), (rendered_spec, model.signal)):
        with pytest.raises(InputError, match="the derivative must be y, x, gradient or laplacian, got"):
            call(of, derivative=word)


def test_three_axes_are_z_y_x() -> None:
    model = made(cells((5, 4, 6)), SOFT)
    gradient = render(model, derivative="gradient")
    assert gradient.shape == (5, 4, 6, 3, 2)
    for a, name in enumerate("zyx"):
        np.testing.assert_allclose(gradient[..., a, :], render(model, derivative=name), rtol=0, atol=1e-5)
