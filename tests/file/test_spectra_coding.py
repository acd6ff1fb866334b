"""Coded cosines come back, by the kernel, without it, and by a reader that knows the page alone."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy import ndarray

import spectra_reader
from partinr import InputError, SignalSpec
from partinr.file.numbers import written_number
from partinr.file.spectra_coding import read_spectra, write_spectra
from partinr.file.spectra_decoding import decoded
from partinr.file.spectra_layout import Box, halves, may_split, slice_count, slices
from partinr.model import kernel
from partinr.model.spectra import Sides, Spectra
from partinr.model.synthesis import synthesised

pytestmark = pytest.mark.skipif(kernel.why_missing() is not None, reason="the kernel writes them")

CASES = [
    ((70,), 1, Sides(32, 8), 20.0),
    ((33,), 3, Sides(16, 4), 2.0),
    ((1,), 1, Sides(4, 4), 1.0),
    ((7,), 4, Sides(4, 4), 0.01),
    ((11, 18), 3, Sides(16, 4), 5.0),
    ((9, 13), 1, Sides(1024, 4), 0.5),
    ((1, 1), 2, Sides(8, 8), 1.0),
    ((1, 30), 4, Sides(16, 4), 3.0),
    ((23, 8), 2, Sides(8, 8), 9.0),
    ((7, 9, 11), 1, Sides(8, 4), 4.0),
    ((5, 1, 12), 3, Sides(8, 4), 2.0),
    ((1, 1, 1), 1, Sides(32, 4), 1.0),
    ((16, 8, 8), 1, Sides(8, 4), 20.0),
]


def searched(shape: tuple[int, ...], channels: int, sides: Sides, step: float, seed: int = 0) -> Spectra:
    """Spectra of a walk at random, whose channels resemble each other."""
    from partinr import _native

    random = np.random.default_rng(seed)
    samples = int(np.prod(shape))
    walk = np.cumsum(random.normal(0, 12, (samples, channels)), axis=0)
    walk[:, 1:] += 0.7 * walk[:, :1]
    mixing = np.rint(random.uniform(-1, 1, (channels, channels)) * 2**14).astype(np.float32) / 2**14
    roots = int(np.prod([-(-n // sides.root) for n in shape]))
    splits, boxes, _, integers, _, _, _ = _native.search_spectra(
        walk.astype(np.float32),
        shape=shape,
        mixing=np.eye(channels, dtype=np.float32),
        step=step,
        lambda_=0.11,
        root=sides.root,
        least=sides.least,
        roots=list(range(roots)),
        threads=1,
    )
    return Spectra(
        shape, sides, splits, boxes, integers, step, mixing if channels > 1 else np.eye(1, dtype=np.float32)
    )


def scattered(shape: tuple[int, ...], channels: int, sides: Sides, step: float) -> Spectra:
    """Boxes halved at random, and integers that fall with the frequency and resemble those of others."""
    random = np.random.default_rng(1)
    splits: list[int] = []
    boxes: list[Box] = []

    def grow(box: Box) -> None:
        if may_split(box, sides):
            splits.append(int(random.random() < 0.6))
            if splits[-1]:
                for part in halves(box):
                    grow(part)
                return
        boxes.append(box)

    for own in slices(shape, sides):
        for root in own:
            grow(root)
    integers = []
    for box in boxes:
        fall = 1 + sum(np.ogrid[tuple(slice(0, n) for n in box.size)])
        q = random.laplace(0, 40 / step, (channels, *box.size)) / fall
        q[1:] += 0.8 * q[:1]
        q[..., -1] = 0
        integers.append(np.rint(q).astype(np.int32).ravel())
    ends = [[box.start, tuple(i + n for i, n in zip(box.start, box.size, strict=True))] for box in boxes]
    mixing = np.eye(channels, dtype=np.float32)
    return Spectra(
        shape, sides, np.array(splits, np.uint8), np.array(ends), np.concatenate(integers), step, mixing
    )


def flat(shape: tuple[int, ...], channels: int, sides: Sides) -> Spectra:
    """No box is halved, and all is 0 but the constant of the last box."""
    boxes = [
        [box.start, tuple(i + n for i, n in zip(box.start, box.size, strict=True))]
        for own in slices(shape, sides)
        for box in own
    ]
    splits = [0 for own in slices(shape, sides) for box in own if may_split(box, sides)]
    integers = np.zeros(int(np.prod(shape)) * channels, np.int32)
    integers[-int(np.prod(np.subtract(boxes[-1][1], boxes[-1][0])))] = 77
    mixing = np.eye(channels, dtype=np.float32)
    return Spectra(shape, sides, np.array(splits, np.uint8), np.array(boxes), integers, 0.5, mixing)


def same(a: Spectra, b: Spectra) -> bool:
    return (
        (a.shape, a.sides, a.step) == (b.shape, b.sides, b.step)
        and np.array_equal(a.splits, b.splits)
        and np.array_equal(a.boxes, b.boxes)
        and np.array_equal(a.integers, b.integers)
        and np.array_equal(a.mixing, b.mixing)
    )


def without_the_kernel(payload: bytes, shape: tuple[int, ...], channels: int) -> Spectra:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "why_missing", lambda: "left out")
        return read_spectra(payload, shape, channels)


def by_the_page(payload: bytes, spectra: Spectra) -> bool:
    found = spectra_reader.spectra(payload, spectra.shape, spectra.channels)
    return (
        found.splits == spectra.splits.tolist()
        and found.boxes == spectra.boxes.tolist()
        and np.concatenate([q.ravel() for q in found.q]).tolist() == spectra.integers.tolist()
        and found.step == spectra.step
        and np.array_equal(found.M, spectra.mixing)
    )


@pytest.mark.parametrize(("shape", "channels", "sides", "step"), CASES)
def test_what_is_written_is_read(shape: tuple[int, ...], channels: int, sides: Sides, step: float) -> None:
    step = float(np.float32(step))
    case = shape, channels, sides, step
    for spectra in (searched(*case), scattered(*case), flat(shape, channels, sides)):
        payload = write_spectra(spectra)
        assert same(read_spectra(payload, shape, channels), spectra)
        assert same(without_the_kernel(payload, shape, channels), spectra)
        assert by_the_page(payload, spectra)


def test_cases_have_what_they_are_there_for() -> None:
    spectra = [scattered(*case) for case in CASES]
    assert {len(own.shape) for own in spectra if {0, 1} == set(own.splits.tolist())} == {1, 2, 3}
    assert max(int(np.abs(searched(*case).integers).max()) for case in CASES) > 1000


@pytest.mark.parametrize(
    ("shape", "sides", "strings"),
    [
        ((2**20 + 5000,), Sides(1024, 512), 2),
        ((1500, 1400), Sides(1024, 1024), 2),
        ((3, 1200, 900), Sides(1024, 700), 2),
    ],
)
def test_slices(shape: tuple[int, ...], sides: Sides, strings: int) -> None:
    spectra = flat(shape, 1, sides)
    payload = write_spectra(spectra)
    assert slice_count(shape, sides) == strings
    assert len(payload) < 100
    assert same(read_spectra(payload, shape, 1), spectra)
    assert same(without_the_kernel(payload, shape, 1), spectra)


def test_slices_of_a_signal_that_has_something_in_it() -> None:
    spectra = searched((1100, 1000), 1, Sides(64, 8), 300.0)
    assert slice_count(spectra.shape, spectra.sides) == 2
    payload = write_spectra(spectra)
    assert same(read_spectra(payload, spectra.shape, 1), spectra)


def test_slices_by_the_page() -> None:
    spectra = flat((2**20 + 5000,), 1, Sides(1024, 1024))
    assert by_the_page(write_spectra(spectra), spectra)


@pytest.mark.parametrize("shape", [(40,), (7, 5), (5, 3, 4)])
@pytest.mark.parametrize("channels", [1, 4])
def test_integers_as_large_as_they_can_be(shape: tuple[int, ...], channels: int) -> None:
    empty = flat(shape, channels, Sides(4, 4))
    random = np.random.default_rng(3)
    most = 2**26 - 1
    for integers in (
        np.full(empty.integers.shape, most, np.int32),
        random.choice([-most, most], empty.integers.shape).astype(np.int32),
        (most * random.uniform(-1, 1, empty.integers.shape) ** 9).astype(np.int32),
    ):
        spectra = Spectra(shape, empty.sides, empty.splits, empty.boxes, integers, 0.5, empty.mixing)
        payload = write_spectra(spectra)
        assert same(read_spectra(payload, shape, channels), spectra)
        assert same(without_the_kernel(payload, shape, channels), spectra)
        assert by_the_page(payload, spectra)
    integers[7] = most + 1
    with pytest.raises(InputError, match="step is too small"):
        write_spectra(Spectra(shape, empty.sides, empty.splits, empty.boxes, integers, 0.5, empty.mixing))


@pytest.mark.parametrize(("shape", "channels", "sides", "step"), [CASES[1], CASES[4], CASES[9]])
def test_parameters_are_the_same_without_the_kernel_and_by_the_page(
    shape: tuple[int, ...], channels: int, sides: Sides, step: float
) -> None:
    spectra = searched(shape, channels, sides, step)
    spec = SignalSpec("array", shape, channels, "float32", (0.0, 1.0), channels > 1)
    model = synthesised(spectra, spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "why_missing", lambda: "left out")
        again = synthesised(spectra, spec)
    for name, array in model.named_parameters().items():
        assert np.array_equal(array, again.named_parameters()[name])
    for region, q in enumerate(spectra.by_box()):
        group = int(model.structure.group_of[region])
        place = model.structure.members[group].tolist().index(region)
        own, frequencies = model.parameters[group], model.networks[group].config()["frequencies"]
        weights, biases = spectra_reader.layer(q, step, spectra.mixing, frequencies)
        assert np.array_equal(own.weights[0][place], weights)
        assert np.array_equal(own.biases[0][place], biases)


def test_halves_fill_their_box() -> None:
    for own in slices((50, 7, 33), Sides(32, 4)):
        for box in own:
            covered = np.zeros((50, 7, 33), int)
            for part in halves(box):
                covered[tuple(slice(i, i + n) for i, n in zip(part.start, part.size, strict=True))] += 1
            assert covered.max() == 1
            assert covered.sum() == np.prod(box.size)


# Damage


@pytest.mark.parametrize(("shape", "channels", "sides", "step"), [CASES[1], CASES[5], CASES[9]])
def test_damaged_payloads_are_refused_or_give_the_same_integers_everywhere(
    shape: tuple[int, ...], channels: int, sides: Sides, step: float
) -> None:
    payload = write_spectra(searched(shape, channels, sides, 8 * step))
    at = len(payload) - len(slices_of(payload, channels))
    random = np.random.default_rng(0)
    broken = [payload[:n] for n in range(len(payload))]
    for i in range(len(payload)):
        changed = bytearray(payload)
        changed[i] ^= 1 << random.integers(8)
        broken.append(bytes(changed))
    refusals = 0
    for n, one in enumerate(broken):
        try:
            found: ndarray | None = read_spectra(one, shape, channels).integers
        except InputError:
            found = None
            refusals += 1
        if n % 12 == 0:
            try:
                assert np.array_equal(without_the_kernel(one, shape, channels).integers, found)
            except InputError:
                assert found is None
    assert refusals > len(payload) - at


def slices_of(payload: bytes, channels: int) -> bytes:
    """The only slice of a payload with two short sides."""
    at = 4
    for _ in range(2):
        while payload[at] >= 128:
            at += 1
        at += 1
    return payload[at + 1 + (2 * channels * channels if payload[at] else 0) :]


def test_bytes_at_random_are_read_in_time_and_memory_of_the_shape() -> None:
    random = np.random.default_rng(5)
    for shape, channels in [((4000,), 2), ((130, 70), 3), ((20, 30, 25), 1), ((1, 900), 40)]:
        for length in (0, 1, 5, 50, 3000):
            head = np.float32(1).tobytes() + written_number(64) + written_number(4) + b"\0"
            start = time.process_time()
            try:
                read_spectra(head + random.bytes(length), shape, channels)
            except InputError as error:
                assert "damaged" in str(error)  # noqa: PT017
            assert time.process_time() - start < 2


HEAD = np.float32(1).tobytes()


@pytest.mark.parametrize(
    ("payload", "channels", "match"),
    [
        (b"", 1, "cut short"),
        (HEAD, 1, "cut short"),
        (np.float32(0).tobytes() + bytes([8, 4, 0]), 1, "step"),
        (np.float32(-1).tobytes() + bytes([8, 4, 0]), 1, "step"),
        (np.float32(np.nan).tobytes() + bytes([8, 4, 0]), 1, "step"),
        (np.float32(np.inf).tobytes() + bytes([8, 4, 0]), 1, "step"),
        (np.float32(2.0**65).tobytes() + bytes([8, 4, 0]), 1, "step"),
        (HEAD + bytes([1, 1, 0]), 1, "sides"),
        (HEAD + bytes([4, 8, 0]), 1, "sides"),
        (HEAD + bytes([8, 0, 0]), 1, "sides"),
        (HEAD + bytes([0x81, 8, 4, 0]), 1, "sides"),
        (HEAD + bytes([255] * 12), 1, "number"),
        (HEAD + bytes([8, 4, 1, 0, 0, 0]), 2, "mixing"),
        (HEAD + bytes([8, 4, 2]) + bytes(50), 2, "mixing"),
        (HEAD + bytes([8, 4, 0]) + bytes(9), 2**20 + 1, "channels"),
        (HEAD + bytes([8, 4, 0]) + bytes(9), 1, "damaged"),
    ],
)
def test_forged_payloads(payload: bytes, channels: int, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_spectra(payload, (9, 9), channels)
    with pytest.raises(InputError, match=match):
        without_the_kernel(payload, (9, 9), channels)


def test_more_slices_than_bytes() -> None:
    with pytest.raises(InputError, match="cut short"):
        read_spectra(HEAD + bytes([4, 4, 0, 0]), (2**30,), 1)


def test_the_largest_values_are_finite() -> None:
    empty = flat((8, 8), 2, Sides(8, 8))
    integers = np.full(empty.integers.shape, 2**26 - 1, np.int32)
    mixing = np.full((2, 2), 32767 / 2**14, np.float32)
    spectra = Spectra(empty.shape, empty.sides, empty.splits, empty.boxes, integers, 2.0**64, mixing)
    again = read_spectra(write_spectra(spectra), (8, 8), 2)
    model = synthesised(again, SignalSpec("array", (8, 8), 2, "float32", (0.0, 1.0), True))
    assert all(np.isfinite(array).all() for array in model.named_parameters().values())


def test_boxes_too_flat_for_their_networks() -> None:
    shape = (1, 1, 1024)
    empty = flat(shape, 1, Sides(1024, 1024))
    integers = empty.integers.copy()
    integers[1023] = 1
    spectra = Spectra(shape, empty.sides, empty.splits, empty.boxes, integers, 1.0, empty.mixing)
    with pytest.raises(InputError, match="so flat"):
        synthesised(spectra, SignalSpec("array", shape, 1, "float32", (0.0, 1.0), False))


def test_the_decoder_says_what_the_kernel_says() -> None:
    spectra = searched((33,), 3, Sides(16, 4), 2.0)
    payload = slices_of(write_spectra(spectra), 3)
    splits, boxes, integers = decoded([payload], (33,), 3, spectra.sides)
    assert (splits.dtype, boxes.dtype, integers.dtype) == (np.uint8, np.int64, np.int32)
    assert boxes.shape == spectra.boxes.shape
    with pytest.raises(InputError, match="too early or too late"):
        decoded([payload + b"\1\2\3\4\5"], (33,), 3, spectra.sides)
