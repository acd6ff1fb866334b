import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from partinr.signals import frames

shapes = st.lists(st.integers(1, 7), min_size=1, max_size=3).map(tuple)


@given(st.integers(1, 3000))
def test_axis_is_torch_linspace_bit_for_bit(samples: int) -> None:
    expected = torch.linspace(-1, 1, samples).numpy() if samples > 1 else np.zeros(1, np.float32)
    np.testing.assert_array_equal(frames.axis(samples), expected)


@given(shapes)
def test_raster_is_in_c_order_with_the_first_axis_first(shape: tuple[int, ...]) -> None:
    expected = [
        [0.0 if n == 1 else -1 + 2 * i / (n - 1) for i, n in zip(index, shape, strict=True)]
        for index in itertools.product(*map(range, shape))
    ]
    np.testing.assert_allclose(frames.raster(shape), expected, atol=1e-6)


@given(st.integers(2, 50))
def test_index_inverts_axis(samples: int) -> None:
    np.testing.assert_allclose(frames.to_index(frames.axis(samples), samples), np.arange(samples), atol=1e-4)


@given(st.integers(1, 40))
def test_native_size_resampling_is_the_axis_itself(samples: int) -> None:
    np.testing.assert_array_equal(frames.resampled_axis(samples, samples), frames.axis(samples))


def test_resampling_keeps_areas_like_an_image_viewer() -> None:
    # Twice the size: each sample's area is halved, so centres lie a quarter sample to either side.
    index = frames.to_index(frames.resampled_axis(4, 8), 4)
    np.testing.assert_allclose(index, [-0.25, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25], atol=1e-6)


def test_resampled_crop_is_part_of_the_resampled_whole() -> None:
    whole = frames.resampled_axis(10, 40)
    np.testing.assert_allclose(frames.resampled_axis(10, 12, 2.0, 5.0), whole[8:20], atol=1e-6)


@pytest.mark.parametrize("shape", [(9,), (9, 6), (5, 4, 3)])
def test_local_frame_spans_minus_one_to_one_over_each_box(shape: tuple[int, ...]) -> None:
    first = np.array([1, 2, 0][: len(shape)])
    last = np.array([4, 3, 2][: len(shape)])
    boxes = np.array([[first, last], [np.zeros(len(shape), int), np.array(shape)]])
    scale, shift = frames.frame_affine("local", boxes, shape)
    axes = [frames.axis(n) for n in shape]
    for a in range(len(shape)):
        own = axes[a][first[a] : last[a]] * scale[0, a] + shift[0, a]
        expected = [0.0] if last[a] - first[a] == 1 else np.linspace(-1, 1, last[a] - first[a])
        np.testing.assert_allclose(own, expected, atol=1e-6)
        np.testing.assert_allclose(axes[a] * scale[1, a] + shift[1, a], axes[a], atol=1e-6)


@pytest.mark.parametrize("shape", [(9,), (9, 6), (5, 4, 3), (1, 7)])
def test_area_frame_has_samples_at_the_middles_of_equal_parts(shape: tuple[int, ...]) -> None:
    first = np.array([0 if n == 1 else 1 for n in shape])
    last = np.array(shape)
    boxes = np.array([[first, last], [np.zeros(len(shape), int), np.minimum(2, shape)]])
    scale, shift = frames.frame_affine("area", boxes, shape)
    for r, box in enumerate(boxes):
        for a, n in enumerate(shape):
            samples = box[1, a] - box[0, a]
            own = frames.axis(n)[box[0, a] : box[1, a]] * scale[r, a] + shift[r, a]
            np.testing.assert_allclose(own, (2 * np.arange(samples) + 1) / samples - 1, atol=1e-6)


def test_global_frame_is_the_identity() -> None:
    scale, shift = frames.frame_affine("global", np.array([[[0, 0], [2, 3]]]), (5, 5))
    assert (scale == 1).all()
    assert (shift == 0).all()
