"""Integers come back from bytes, and both coders are the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy import ndarray

from partinr.file.range_coder import (
    CLASSES,
    LIMIT,
    MOST_TO_A_BYTE,
    PythonReader,
    PythonWriter,
    Reader,
    Writer,
    as_classes,
    reader,
    writer,
)
from partinr.model import kernel

native = pytest.mark.skipif(kernel.why_missing() is not None, reason="the kernel is not there")


def integers(count: int, seed: int = 0) -> tuple[ndarray, ndarray]:
    """Integers of all sizes, larger in higher classes."""
    random = np.random.default_rng(seed)
    classes = random.integers(0, CLASSES, count).astype(np.uint8)
    values = np.rint(random.laplace(0, 2.0 ** (classes / 3))).clip(1 - LIMIT, LIMIT - 1).astype(np.int32)
    values[:4] = (0, LIMIT - 1, 1 - LIMIT, -1)[:count]
    return values, classes


def written(out: Writer, values: ndarray, classes: ndarray) -> bytes:
    out.write(values, classes)
    return out.finish()


def taken(source: Reader, classes: ndarray) -> ndarray:
    out = np.empty(len(classes), np.int32)
    assert source.read(classes, out)
    return out


@pytest.mark.parametrize("count", [0, 1, 2, 5, 300, 4000])
@pytest.mark.parametrize("make", [(PythonWriter, PythonReader), (writer, reader)])
def test_integers_come_back(count: int, make: tuple[type[PythonWriter], type[PythonReader]]) -> None:
    values, classes = integers(count)
    payload = written(make[0](), values, classes)
    source = make[1](payload)
    assert np.array_equal(taken(source, classes), values)
    assert source.finished()


@native
def test_the_native_coder_writes_the_same_bytes() -> None:
    from partinr import _native

    for seed in range(20):
        values, classes = integers(200 + seed, seed)
        assert written(_native.IntegerWriter(), values, classes) == written(PythonWriter(), values, classes)


def test_it_takes_as_many_bits_as_the_distribution_has() -> None:
    values = np.rint(np.random.default_rng(0).normal(0, 6, 100_000)).astype(np.int32)
    bits = 8 * len(written(writer(), values, as_classes(7, len(values)))) / len(values)
    entropy = 0.5 * math.log2(2 * math.pi * math.e * 36)
    assert entropy < bits < 1.01 * entropy


def test_no_byte_holds_more_than_is_said() -> None:
    count = 1_000_000
    payload = written(writer(), np.zeros(count, np.int32), as_classes(0, count))
    assert count / 4 / MOST_TO_A_BYTE < len(payload)
    assert len(payload) > count / MOST_TO_A_BYTE


@pytest.mark.parametrize("open_", [PythonReader, reader])
def test_damaged_bytes_give_integers_or_are_refused(open_: type[PythonReader]) -> None:
    values, classes = integers(300)
    payload = written(writer(), values, classes)
    random = np.random.default_rng(1)
    for length in range(0, len(payload), 13):
        broken = bytearray(payload[:length])
        if broken:
            broken[random.integers(len(broken))] ^= 1 << random.integers(8)
        out = np.zeros(len(classes), np.int32)
        source = open_(bytes(broken))
        if source.read(classes, out):
            assert np.abs(out).max() < LIMIT


@pytest.mark.parametrize("open_", [PythonReader, reader])
def test_missing_and_spare_bytes_are_noticed(open_: type[PythonReader]) -> None:
    values, classes = integers(300)
    payload = written(writer(), values, classes)
    out = np.zeros(len(classes), np.int32)
    short = open_(payload[:-5])
    assert not (short.read(classes, out) and short.finished())
    long = open_(payload + bytes(5))
    assert long.read(classes, out)
    assert not long.finished()


@native
def test_the_native_coder_refuses_what_it_cannot_write() -> None:
    from partinr import _native

    one = np.array([1], np.int32)
    with pytest.raises(ValueError, match="below 64"):
        _native.IntegerWriter().write(one, np.array([64], np.uint8))
    with pytest.raises(ValueError, match=r"2\^20"):
        _native.IntegerWriter().write(one * LIMIT, as_classes(0, 1))
    with pytest.raises(ValueError, match="shape"):
        _native.IntegerWriter().write(one, as_classes(0, 2))
