"""Portable float maps and Radiance pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy import ndarray

from partinr.errors import InputError
from partinr.signals import from_array, read, write

VALUES = np.random.default_rng(0).normal(0, 30, (9, 20, 3)).astype(np.float32)


def pfm(values: ndarray, order: str = "<", scale: float = 1.0, ends: str = "\n") -> bytes:
    kind = "PF" if values.ndim == 3 else "Pf"
    sign = -1 if order == "<" else 1
    head = f"{kind}{ends}{values.shape[1]} {values.shape[0]}{ends}{sign * scale}{ends}"
    return head.encode() + values[::-1].astype(f"{order}f4").tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("values", [VALUES, VALUES[..., 0], VALUES[:1, :1], VALUES[:, :2, 1]])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_float_maps(tmp_path: Path, values: ndarray, order: str, ends: str) -> None:
    path = tmp_path / "map.bin"
    path.write_bytes(pfm(values, order, 2.5, ends))
    signal = read(path)
    np.testing.assert_array_equal(signal.values.reshape(values.shape), values)
    assert (signal.spec.kind, signal.spec.dtype, signal.shape) == ("image", "float32", values.shape[:2])


@pytest.mark.parametrize("channels", [1, 3])
def test_float_maps_are_written_as_others_read_them(tmp_path: Path, channels: int) -> None:
    signal = from_array(VALUES[..., :channels], kind="image")
    path = tmp_path / "map.pfm"
    write(path, signal.values, signal.spec)
    np.testing.assert_array_equal(read(path).values, signal.values)
    others = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).reshape(9, 20, channels)
    np.testing.assert_array_equal(others[..., ::-1], signal.values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pfm(VALUES)[:-1], "truncated: 2160 bytes of values expected, got 2159"),
        (b"PF\n20 x\n-1.0\n" + bytes(9), "expected PF or Pf, columns, rows and a scale"),
        (b"PF\n20 9\n0.0\n" + bytes(9), "expected PF or Pf, columns, rows and a scale"),
        (b"Pf", "expected PF or Pf"),
        (b"PF\n0 9\n1\n", "at least one pixel"),
        (b"PF\n90000 90000\n1\n", "at most 100,000,000 pixels"),
        (pfm(VALUES * np.float32("nan")), "all 180 samples are missing"),
        (pfm(VALUES * np.float32("inf")), "must be finite"),
    ],
)
def test_what_is_no_float_map(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "map.pfm"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(path)


def hdr(rgbe: ndarray, resolution: str = "-Y {rows} +X {columns}", form: str = "rgbe") -> bytes:
    size = resolution.format(rows=rgbe.shape[0], columns=rgbe.shape[1])
    head = f"#?RADIANCE\n# made here\nFORMAT=32-bit_rle_{form}\nEXPOSURE=1.0\n\n{size}\n".encode()
    if rgbe.shape[1] < 8:
        return head + rgbe.tobytes()
    lines = []
    for line in rgbe:
        # Each of the four parts of a line apart, in runs of one and stretches of many.
        lines.append(bytes([2, 2, *divmod(len(line), 256)]))
        for part in line.T:
            first = part[: len(part) // 2]
            same = len(np.unique(first)) == 1
            lines.append(bytes([128 + len(first), first[0]]) if same else bytes([len(first), *first]))
            lines.append(bytes([len(part) - len(first), *part[len(first) :]]))
    return head + b"".join(lines)


def mantissas(columns: int) -> ndarray:
    rng = np.random.default_rng(1)
    rgbe = rng.integers(0, 256, (9, columns, 4)).astype(np.uint8)
    rgbe[..., 3] = rng.integers(100, 150, (9, columns))
    rgbe[0, :, 3] = 0
    rgbe[2, :, 1] = 77
    return rgbe


@pytest.mark.parametrize("columns", [5, 20, 200])
def test_radiance_pictures(tmp_path: Path, columns: int) -> None:
    rgbe = mantissas(columns)
    path = tmp_path / "picture.bin"
    path.write_bytes(hdr(rgbe))
    signal = read(path)
    expected = np.ldexp(rgbe[..., :3].astype(np.float64), rgbe[..., 3:].astype(int) - 136)
    expected[rgbe[..., 3] == 0] = 0
    np.testing.assert_array_equal(signal.values, expected.astype(np.float32))
    assert (signal.spec.kind, signal.spec.dtype) == ("image", "float32")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (hdr(mantissas(20))[:-50], "cannot be decoded as a Radiance picture"),
        (hdr(mantissas(20), "+Y {rows} +X {columns}"), r"ends in -Y ROWS \+X COLUMNS, got \+Y 9 \+X 20"),
        (hdr(mantissas(20), "+X {columns} -Y {rows}"), r"ends in -Y ROWS \+X COLUMNS"),
        (hdr(mantissas(20), form="xyze"), "cannot be decoded as a Radiance picture"),
        (hdr(mantissas(20), "-Y 90000 +X 90000"), "at most 100,000,000 pixels"),
        (b"#?RADIANCE\nFORMAT=32", "got none"),
        (b"#!/bin/sh\n", "expected pictures"),
    ],
)
def test_what_is_no_radiance_picture(
    tmp_path: Path, content: bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "picture.hdr"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read(path)
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""
