"""Rules that segment: HFS against its published label maps, and what all of them promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import ndarray
from PIL import Image

from partinr.errors import InputError
from partinr.model.partition import HFS, SLIC, Felzenszwalb, Partition, Rule, connected_components, hfs
from partinr.signals import Signal, from_array

DATA = Path(__file__).parents[1] / "data" / "hfs"
each_rule = pytest.mark.parametrize("rule", [HFS, SLIC, Felzenszwalb], ids=lambda r: r.name)


def picture(values: ndarray) -> Signal:
    return from_array(values, kind="image")


@pytest.fixture(scope="module")
def face() -> ndarray:
    """128 x 160 pixels of astronaut."""
    return np.asarray(skimage.data.astronaut()[40:168, 150:310])


def check(partition: Partition, signal: Signal, most: int) -> None:
    assert partition.shape == signal.shape
    assert 1 <= partition.regions <= most
    assert np.array_equal(np.unique(partition.label_map), np.arange(partition.regions))
    assert partition.counts.sum() == signal.spec.samples
    assert connected_components(partition.label_map).max() + 1 == partition.regions


@pytest.mark.parametrize(
    ("name", "regions"), [("astronaut", 4), ("astronaut", 9), ("astronaut", 16), ("rocket", 9)]
)
def test_hfs_gives_the_published_label_maps(name: str, regions: int) -> None:
    partition = HFS(regions).partition(picture(getattr(skimage.data, name)()))
    published = np.array(Image.open(DATA / f"{name}_hfs{regions}.png"))
    assert partition.rule == f"hfs:{regions}"
    assert np.array_equal(partition.label_map, published)


def same(a: Signal, b: Signal) -> bool:
    return np.array_equal(HFS(6).partition(a).label_map, HFS(6).partition(b).label_map)


def test_hfs_sees_8_bits_of_every_kind_of_picture(face: ndarray) -> None:
    assert HFS(6).partition(picture(face)).regions == 6
    noise = np.random.default_rng(0).integers(0, 256, face.shape[:2], dtype=np.uint8)
    grey = face[:, :, 1]
    assert same(picture(face), picture(face.astype(np.uint16) * 257))
    assert same(picture(face), from_array(face.astype(np.float32) / 255, value_range=(0, 1)))
    assert same(picture(face), from_array(face * 0.02 - 3, value_range=(-3, 255 * 0.02 - 3)))
    assert same(picture(face), picture(np.dstack([face, noise])))
    assert same(picture(grey), picture(np.dstack([grey] * 3)))
    assert same(picture(grey), picture(np.dstack([grey, noise])))
    assert not same(picture(face), picture(face[:, :, ::-1]))


def test_hfs_sees_each_8_bit_value_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def segment(rgb: ndarray) -> ndarray:
        seen.append(rgb)
        return np.zeros(rgb.shape[:2], np.uint16)

    monkeypatch.setattr(hfs, "_segment", segment)
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    HFS(1).partition(picture(values))
    assert np.array_equal(seen[0], np.dstack([values] * 3))
    nearly = np.clip(values + np.tile([-0.4, 0.4], (16, 8)), 0, 255) / 255
    HFS(1).partition(from_array(nearly, value_range=(0, 1)))
    assert np.array_equal(seen[1], seen[0])


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 2), (2, 1), (2, 2), (1, 9), (9, 1), (1, 200), (200, 2), (5, 5), (16, 16)]
)
@each_rule
def test_small_pictures_work(rule: type[Rule], shape: tuple[int, int]) -> None:
    for values in (
        np.full((*shape, 3), 77, np.uint8),
        np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8),
    ):
        signal = from_array(values, channels_last=True, kind="image")
        for regions in {1, min(4, signal.spec.samples), signal.spec.samples}:
            check(rule.from_word(str(regions)).partition(signal), signal, regions)


def test_hfs_of_a_flat_row_is_one_region() -> None:
    # OpenCV alone makes a region of every eight pixels here, because it never looks at the edge of an image.
    assert HFS(5).partition(picture(np.full((1, 200), 9, np.uint8))).regions == 1


def test_hfs_of_more_pixels_than_opencv_numbers(monkeypatch: pytest.MonkeyPatch, face: ndarray) -> None:
    """The limit is lowered; beyond it OpenCV would take all further superpixels for one."""
    sizes = []
    segment = hfs._segment

    def spy(rgb: ndarray) -> ndarray:
        sizes.append(rgb.shape[:2])
        return segment(rgb)

    monkeypatch.setattr(hfs, "_segment", spy)
    monkeypatch.setattr(hfs, "_MOST_SUPERPIXELS", 100)
    halves = np.zeros((60, 301, 3), np.uint8)
    halves[:, 120:] = [250, 200, 30]
    thin = np.random.default_rng(0).integers(0, 256, (1, 4000), dtype=np.uint8)
    for values in (face, halves, halves.swapaxes(0, 1), thin):
        signal = picture(values)
        check(HFS(9).partition(signal), signal, 9)
        superpixels = np.prod(np.ceil(np.maximum(sizes[-1], 3) / 8))
        # At most the limit, but not much less; a thin picture's superpixels are less than 8 pixels high.
        assert (80 if min(signal.shape) > 1 else 20) <= superpixels <= 100
    labels = HFS(2).partition(picture(halves)).label_map
    assert (labels[:, :117] == 0).all()
    assert (labels[:, 123:] == 1).all()


def test_hfs_at_the_limit_is_not_reduced(monkeypatch: pytest.MonkeyPatch, face: ndarray) -> None:
    expected = HFS(9).partition(picture(face)).label_map
    monkeypatch.setattr(hfs, "_MOST_SUPERPIXELS", 16 * 20)
    assert np.array_equal(HFS(9).partition(picture(face)).label_map, expected)


@each_rule
def test_photographs_get_the_regions_asked_for(rule: type[Rule], face: ndarray) -> None:
    for regions in (1, 2, 5):
        partition = rule.from_word(str(regions)).partition(picture(face))
        check(partition, picture(face), regions)
        assert partition.regions == regions
        assert partition.rule == f"{rule.name}:{regions}"


@each_rule
def test_the_same_input_gives_the_same_partition(rule: type[Rule], face: ndarray) -> None:
    first, second = (rule.from_word("7").partition(picture(face.copy())).label_map for _ in range(2))
    assert np.array_equal(first, second)


@each_rule
def test_a_signal_with_few_segments_gets_fewer_regions(rule: type[Rule]) -> None:
    signal = picture(np.full((40, 50), 128, np.uint8))
    partition = rule.from_word("30").partition(signal)
    check(partition, signal, 30)
    assert rule is SLIC or partition.regions == 1


@each_rule
def test_channels_beyond_colour(rule: type[Rule]) -> None:
    values = np.random.default_rng(0).integers(0, 256, (20, 30, 5), dtype=np.uint8)
    signal = from_array(values, channels_last=True)
    if rule is SLIC:
        check(SLIC(4).partition(signal), signal, 4)
        return
    with pytest.raises(InputError, match=r"grey or RGB images.*got 5 channels"):
        rule.from_word("4").partition(signal)


@pytest.mark.parametrize("shape", [(50,), (4, 5, 6)])
@pytest.mark.parametrize("rule", [HFS(3), Felzenszwalb(3)], ids=lambda r: r.name)
def test_only_images_have_colours_to_segment(rule: Rule, shape: tuple[int, ...]) -> None:
    signal = from_array(np.zeros(shape, np.uint8), channels_last=False)
    with pytest.raises(InputError, match=r"segments images \(2 axes\), got shape"):
        rule.partition(signal)


@given(st.data())
@settings(max_examples=60)
def test_slic_applies_to_every_signal(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    channels = data.draw(st.integers(1, 5))
    values = np.random.default_rng(data.draw(st.integers(0, 9))).random((*shape, channels))
    signal = from_array(values, channels_last=True)
    regions = data.draw(st.integers(1, int(np.prod(shape))))
    check(SLIC(regions).partition(signal), signal, regions)


def test_slic_of_grey_follows_edges() -> None:
    values = np.zeros((30, 30), np.uint8)
    values[:, 12:] = 200
    labels = SLIC(2).partition(picture(values)).label_map
    assert labels[0, 0] != labels[0, -1]
    assert np.array_equal(labels, labels[:1].repeat(30, axis=0))
    assert np.flatnonzero(np.diff(labels[0])).tolist() == [11]


@each_rule
def test_more_regions_than_samples_are_refused(rule: type[Rule]) -> None:
    with pytest.raises(InputError, match=f"{rule.name}:13 needs at least 13 samples, got 12"):
        rule.from_word("13").partition(picture(np.zeros((3, 4), np.uint8)))


@pytest.mark.parametrize("regions", [0, -1, True])
@pytest.mark.parametrize("rule", [HFS, SLIC, Felzenszwalb], ids=lambda r: r.name)
def test_numbers_of_regions_that_are_none(rule: type[HFS], regions: int) -> None:
    with pytest.raises(InputError, match=f"{rule.name} needs a whole number .*write {rule.name}:9"):
        rule(regions)


def test_rules_are_values() -> None:
    assert HFS(9) == HFS(9) != SLIC(9)
    assert repr(HFS(9)) == "HFS(regions=9)"
    assert len({HFS(9), HFS(9), HFS(4)}) == 2
