"""Partitions, the rules that need no picture, and the table of rules."""

from __future__ import annotations

import copy
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from partinr.errors import InputError
from partinr.model.partition import (
    HFS,
    RULES,
    SLIC,
    Felzenszwalb,
    Grid,
    Labels,
    Partition,
    Tree,
    Whole,
    boundaries,
    rule_from_word,
)
from partinr.model.partition.counts import as_count
from partinr.signals import Signal, from_array

SHAPES = array_shapes(min_dims=1, max_dims=3, max_side=12)


def blank(shape: tuple[int, ...]) -> Signal:
    return from_array(np.zeros(shape, np.uint8), channels_last=False)


def check(partition: Partition, shape: tuple[int, ...]) -> None:
    """Every sample has one region, every region a sample, and everything derived agrees."""
    labels = partition.label_map
    assert partition.shape == labels.shape == shape
    assert labels.dtype == np.int32
    assert not labels.flags.writeable
    assert np.array_equal(np.unique(labels), np.arange(partition.regions))
    for region in range(partition.regions):
        inside = np.argwhere(labels == region)
        assert partition.counts[region] == len(inside)
        assert np.array_equal(partition.bounding_boxes[region], [inside.min(0), inside.max(0) + 1])


# Whole and Grid


@given(SHAPES)
@settings(max_examples=30)
def test_whole_is_one_region(shape: tuple[int, ...]) -> None:
    partition = Whole().partition(blank(shape))
    check(partition, shape)
    assert (partition.regions, partition.rule) == (1, "none")


@given(st.data())
@settings(max_examples=80)
def test_grid_is_balanced_and_its_boxes_are_its_label_map(data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    divisions = [data.draw(st.integers(1, n)) for n in shape]
    partition = Grid(*divisions).partition(blank(shape))
    check(partition, shape)
    assert partition.regions == np.prod(divisions)
    assert partition.rule == "grid:" + "x".join(map(str, divisions))
    for region, cell in enumerate(itertools.product(*map(range, divisions))):
        box = partition.bounding_boxes[region]
        assert (partition.label_map[tuple(slice(a, b) for a, b in box.T)] == region).all()
        for axis, (n, k, i) in enumerate(zip(shape, divisions, cell, strict=True)):
            first, last = box[:, axis]
            assert last - first in (n // k, -(-n // k))
            # Within one sample of where an exact division would put it.
            assert 0 <= first - i * n / k < 1


def test_grid_of_sizes_that_do_not_divide() -> None:
    lengths = Grid(3).partition(blank((64,))).counts
    assert lengths.tolist() == [22, 21, 21]
    assert Grid(5, 5).partition(blank((16, 16))).regions == 25
    assert Grid(4, 1).partition(blank((4, 9))).counts.tolist() == [9] * 4


@given(st.integers(1, 400), st.integers(1, 20))
def test_doubled_divisions_divide_the_same_cells(n: int, k: int) -> None:
    if 2 * k > n:
        return
    coarse, fine = (Grid(m).partition(blank((n,))).bounding_boxes[:, 0, 0] for m in (k, 2 * k))
    assert np.array_equal(fine[::2], coarse)


def test_grid_is_a_value() -> None:
    assert repr(Grid(2, 3, 4)) == "Grid(2, 3, 4)"
    assert Grid(3, 3) == Grid(np.int64(3), 3) != Grid(3, 4)
    assert len({Grid(3, 3), Grid(3, 3), Grid(9)}) == 2
    assert pickle.loads(pickle.dumps(Grid(3, 4))) == copy.deepcopy(Grid(3, 4)) == Grid(3, 4)
    with pytest.raises(AttributeError):
        Grid(3).divisions = (4,)  # type: ignore[misc]


@pytest.mark.parametrize("divisions", [(), (0,), (3, -1), (True,), (1, 1, 1, 1)])
def test_grid_refuses(divisions: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="Grid\\(3, 3\\)"):
        Grid(*divisions)


def test_grid_of_another_number_of_axes_says_what_to_write() -> None:
    picture = from_array(np.zeros((40, 60, 3), np.uint8), kind="image")
    with pytest.raises(InputError) as error:
        Grid(3).partition(picture)
    assert str(error.value) == (
        "grid needs 2 numbers (rows x columns) for an image of shape (40, 60), got 1 (grid:3); write grid:3x3"
    )
    with pytest.raises(InputError, match=r"1 number \(cells\) for a signal of 1 axes? .*write grid:4$"):
        Grid(4, 5).partition(blank((50,)))
    with pytest.raises(InputError, match=r"3 numbers \(planes x rows x columns\).*write grid:2x3x3$"):
        Grid(2, 3).partition(blank((5, 6, 7)))


def test_grid_of_more_cells_than_samples_is_refused() -> None:
    with pytest.raises(InputError, match=r"grid:3x8 needs at least 8 .* axis 1, got 7 .*at most 7 columns"):
        Grid(3, 8).partition(blank((9, 7)))


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", None, True, False, np.True_, np.float32(2), np.arange(3)])
def test_what_is_no_count(value: object) -> None:
    assert as_count(value) is None


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_every_type_of_integer_is_a_count(value: object) -> None:
    assert as_count(value) == 3
    assert type(as_count(value)) is int


# Partition


@given(arrays(np.int64, SHAPES, elements=st.integers(-2, 3)))
@settings(max_examples=60)
def test_from_labels_takes_exactly_the_maps_without_gaps(labels: np.ndarray) -> None:
    if np.array_equal(np.unique(labels), np.arange(labels.max() + 1)):
        partition = Partition.from_labels(labels, "labels")
        check(partition, labels.shape)
        assert np.array_equal(partition.label_map, labels)
    else:
        with pytest.raises(InputError, match=r"0\.\.R-1"):
            Partition.from_labels(labels, "labels")


def test_from_labels_copies() -> None:
    labels = np.zeros((2, 3), np.int32)
    partition = Partition.from_labels(labels, "labels")
    labels[0, 0] = 5
    assert partition.regions == 1


def test_from_labels_refuses_an_empty_map() -> None:
    with pytest.raises(InputError, match="at least one sample"):
        Partition.from_labels(np.zeros((0, 3), np.int32), "labels")


@pytest.mark.parametrize(
    "boxes",
    [
        [[[0, 0], [4, 3]]],  # gap
        [[[0, 0], [4, 3]], [[0, 2], [4, 6]]],  # overlap
        [[[0, 0], [2, 6]], [[0, 0], [2, 6]]],  # overlap and gap that add up to the right area
        [[[0, 0], [4, 7]]],  # outside
        [[[-1, 0], [4, 6]]],
        [[[0, 0], [4, 6]], [[2, 2], [2, 2]]],  # empty
        [[[4, 6], [0, 0]]],
        [[[0], [4]]],  # of another number of axes
    ],
)
def test_from_boxes_refuses_what_does_not_tile(boxes: list[list[list[int]]]) -> None:
    with pytest.raises(InputError, match="boxes must"):
        Partition.from_boxes((4, 6), np.array(boxes), "grid:1x1")


def test_from_boxes_takes_boxes_of_unequal_size() -> None:
    boxes = np.array([[[0, 0], [3, 2]], [[0, 2], [1, 5]], [[1, 2], [3, 5]], [[3, 0], [4, 5]]])
    partition = Partition.from_boxes((4, 5), boxes, "auto")
    check(partition, (4, 5))
    assert np.array_equal(partition.label_map, [[0, 0, 1, 1, 1], [0, 0, 2, 2, 2], [0, 0, 2, 2, 2], [3] * 5])


# Boundaries


@given(arrays(np.int32, SHAPES, elements=st.integers(0, 2)))
@settings(max_examples=60)
def test_boundaries_against_a_loop(labels: np.ndarray) -> None:
    expected = np.zeros(labels.shape, bool)
    for index in np.ndindex(labels.shape):
        for axis in range(labels.ndim):
            following = tuple(i + (a == axis) for a, i in enumerate(index))
            if following[axis] < labels.shape[axis] and labels[following] != labels[index]:
                expected[index] = True
    assert np.array_equal(boundaries(labels), expected)


# Words


@pytest.mark.parametrize(
    ("word", "rule"),
    [
        ("none", Whole()),
        ("grid:5", Grid(5)),
        ("grid:3x3", Grid(3, 3)),
        ("grid:2x3x4", Grid(2, 3, 4)),
        ("hfs:9", HFS(9)),
        ("slic:16", SLIC(16)),
        ("tree", Tree()),
        ("tree:300", Tree(300)),
        ("felzenszwalb:4", Felzenszwalb(4)),
        ("labels:a folder/C:map.png", Labels("a folder/C:map.png")),
    ],
)
def test_words_and_rules_correspond(word: str, rule: object) -> None:
    assert rule_from_word(word) == rule
    assert rule_from_word(word).word == word
    assert word.split(":")[0] in RULES


@pytest.mark.parametrize(
    "word",
    [
        *["", "Grid:3x3", "grids", "hfs9", ":", "none:3", "labels", "labels:"],
        *["grid", "grid:", "grid:0x3", "grid:3x0", "grid:-3", "grid:3x", "grid:x", "grid:3,3", "grid:3 x 3"],
        *["grid:1x1x1x1", "grid:3.0", "grid:٣x٣", "grid:3x3\n", "grid:" + "9" * 5000],
        *[
            "hfs",
            "hfs:",
            "hfs:x",
            "hfs:0",
            "hfs:-4",
            "hfs:4.5",
            "slic:x",
            "tree:x",
            "tree:0",
            "felzenszwalb:0",
            "slic:1e3",
        ],
    ],
)
def test_words_that_are_no_rules_are_refused_in_one_line(word: str) -> None:
    with pytest.raises(InputError) as error:
        rule_from_word(word)
    message = str(error.value)
    assert "got " in message
    assert "write " in message


def test_an_unknown_rule_lists_the_known_ones() -> None:
    with pytest.raises(InputError) as error:
        rule_from_word("voronoi:9")
    assert all(name in str(error.value) for name in ("none", "grid", "hfs", "slic", "felzenszwalb", "labels"))
