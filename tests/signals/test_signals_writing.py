"""What is written is what is read again, and what a format cannot hold is refused."""

from __future__ import annotations

import errno
import io
import math
import os
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy import ndarray
from PIL import Image

from partinr.errors import InputError
from partinr.signals import (
    FORMATS,
    Kind,
    Signal,
    SignalSpec,
    from_array,
    read,
    writable_format,
    write,
    write_slabs,
)
from partinr.signals.png import write_png
from partinr.signals.tiff_writing import _strips

TIFF_DTYPES = ["uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64"]
NPY_DTYPES = ["bool", "uint64", "int64", *TIFF_DTYPES]
SHAPES = {1: (7,), 2: (5, 7), 3: (4, 5, 7)}
# Beside PNG, TIFF and .npy: the channels that the formats hold, and whether without loss.
PICTURES = {".jpg": (1, 3), ".jpeg": (1, 3), ".bmp": (1, 3), ".webp": (3, 4), ".ppm": (3,), ".pgm": (1,)}


def noise(shape: tuple[int, ...], channels: int, dtype: str, kind: Kind = "image") -> Signal:
    rng = np.random.default_rng(channels)
    full = (*shape, channels)
    if np.dtype(dtype).kind == "f":
        values = rng.normal(size=full).astype(dtype)
    elif dtype == "bool":
        values = rng.integers(0, 2, full).astype(bool)
    else:
        info = np.iinfo(dtype)
        values = rng.integers(max(info.min, -(2**53)), min(info.max, 2**53), full, dtype=dtype, endpoint=True)
    return from_array(values, channels_last=True, kind=kind)


def temporary_files(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if p.name.startswith(".")]


# --- there and back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (1, 9), (9, 1)])
def test_png(tmp_path: Path, shape: tuple[int, int], channels: int, dtype: str) -> None:
    signal = noise(shape, channels, dtype)
    path = tmp_path / "a.PNG"
    write(path, signal.values, signal.spec)
    again = read(path)
    np.testing.assert_array_equal(again.values, signal.values)
    assert again.spec == replace(signal.spec, channel_axis=channels > 1)
    assert not temporary_files(tmp_path)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *[(shape, dtype) for shape in ((5, 7), (4, 5, 7)) for dtype in TIFF_DTYPES],
        *[
            (shape, "uint16")
            for shape in ((1, 1), (9, 1), (1, 9), (1, 5, 7), (4, 7, 1), (4, 1, 1), (1, 1, 1))
        ],
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_tiff(tmp_path: Path, shape: tuple[int, ...], channels: int, dtype: str) -> None:
    signal = noise(shape, channels, dtype)
    path = tmp_path / "a.tif"
    write(path, signal.values, signal.spec)
    again = read(path)
    np.testing.assert_array_equal(again.values, signal.values)
    assert again.spec == replace(signal.spec, channel_axis=channels > 1)
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == (shape[0] if len(shape) == 3 else 1)
        page = file.pages[0]
        assert page.photometric == (2 if channels in (3, 4) else 1)
        assert page.planarconfig == 1
        extra = {1: (), 2: (2,), 3: (), 4: (2,), 5: (0,) * 4}[channels]
        assert tuple(page.extrasamples) == extra
        assert page.sampleformat == {"u": 1, "i": 2, "f": 3}[np.dtype(dtype).kind]


@pytest.mark.parametrize("dtype", NPY_DTYPES)
@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_npy(tmp_path: Path, dims: int, channels: int, dtype: str) -> None:
    signal = noise(SHAPES[dims], channels, dtype, "array")
    path = tmp_path / "a.npy"
    write(path, signal.values, signal.spec)
    array = np.load(path)
    assert array.dtype == dtype
    assert array.shape == signal.spec.array_shape
    again = read(path, channels_last=True)
    np.testing.assert_array_equal(again.values, signal.values)
    assert again.spec == signal.spec


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_npy_without_an_axis_for_the_channel(tmp_path: Path, dims: int) -> None:
    values = np.arange(math.prod(SHAPES[dims]), dtype=np.uint16).reshape(SHAPES[dims])
    signal = from_array(values)
    path = tmp_path / "a.npy"
    write(path, signal.values, signal.spec)
    np.testing.assert_array_equal(np.load(path), values)
    assert read(path).spec == signal.spec


@pytest.mark.parametrize("suffix", sorted(PICTURES))
def test_pictures_of_8_bits(tmp_path: Path, suffix: str) -> None:
    for channels in PICTURES[suffix]:
        # Smooth, so that JPEG comes near.
        values = np.linspace(0, 255, 20 * 30).reshape(20, 30, 1).repeat(channels, axis=-1).astype(np.uint8)
        signal = from_array(values, kind="image")
        path = tmp_path / f"a{suffix}"
        write(path, signal.values, signal.spec)
        again = read(path)
        assert (again.shape, again.channels, again.spec.dtype) == ((20, 30), channels, "uint8")
        error = np.abs(again.values.astype(int) - signal.values)
        assert error.max() <= (6 if suffix.startswith(".j") else 0)
    assert not temporary_files(tmp_path)


def test_webp_keeps_colours_that_nobody_sees(tmp_path: Path) -> None:
    signal = noise((5, 7), 4, "uint8")
    path = tmp_path / "a.webp"
    write(path, signal.values * np.array([1, 1, 1, 0], np.uint8), signal.spec)
    np.testing.assert_array_equal(read(path).values[..., :3], signal.values[..., :3])


def test_a_png_of_16_bits_read_by_others(tmp_path: Path) -> None:
    signal = noise((5, 7), 3, "uint16")
    path = tmp_path / "a.png"
    write(path, signal.values, signal.spec)
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1], signal.values)


def test_a_rendering_may_have_another_size(tmp_path: Path) -> None:
    spec = noise((5, 7), 3, "uint8").spec
    larger = noise((11, 13), 3, "uint8")
    for suffix in (".png", ".tif", ".npy", ".bmp"):
        write(tmp_path / f"a{suffix}", larger.values, spec)
        np.testing.assert_array_equal(read(tmp_path / f"a{suffix}").values, larger.values)


def test_the_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    for suffix in (".png", ".tif", ".npy", ".jpg", ".webp"):
        signal = noise((40, 50), 3, "uint8")
        for name in ("a", "b"):
            write(tmp_path / f"{name}{suffix}", signal.values, signal.spec)
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_the_path_may_be_a_string_and_the_values_not_contiguous(tmp_path: Path) -> None:
    signal = noise((5, 7), 3, "uint16")
    flipped = signal.values[::-1, ::-1]
    for suffix in (".png", ".tif", ".npy"):
        path = str(tmp_path / f"a{suffix}")
        write(path, flipped, signal.spec)
        np.testing.assert_array_equal(read(path).values, flipped)


# --- in parts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy", ".npz", ".bmp"])
@pytest.mark.parametrize("sizes", [(50,), (1,) * 50, (7, 30, 13), (49, 1)])
def test_parts_make_the_same_file_as_the_whole(
    tmp_path: Path, suffix: str, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Strips of four rows.
    monkeypatch.setattr("partinr.signals.tiff_writing._STRIP_BYTES", 4 * 31 * 3)
    monkeypatch.setattr("partinr.signals.png._CHUNK_BYTES", 5 * 31 * 3)
    signal = noise((50, 31), 3, "uint8")
    ends = np.cumsum(sizes)
    parts = [signal.values[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    write_slabs(tmp_path / f"parts{suffix}", parts, (50, 31), signal.spec)
    np.testing.assert_array_equal(read(tmp_path / f"parts{suffix}").values, signal.values)
    if suffix != ".png":  # where the parts end, the compression may differ
        write(tmp_path / f"whole{suffix}", signal.values, signal.spec)
        whole, together = ((tmp_path / f"{n}{suffix}").read_bytes() for n in ("whole", "parts"))
        assert whole == together


def test_strips_have_as_many_rows_as_the_file_says() -> None:
    rows = np.arange(50 * 3, dtype=np.uint8).reshape(50, 3, 1)
    strips = list(_strips([rows[:7], rows[7:9], rows[9:]], 4))
    assert [len(strip) for strip in strips] == [4 * 3] * 12 + [2 * 3]
    assert b"".join(strips) == rows.tobytes()


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_parts_of_a_stack(tmp_path: Path, suffix: str) -> None:
    signal = noise((5, 6, 7), 2, "float32")
    write_slabs(tmp_path / f"a{suffix}", [signal.values[:2], signal.values[2:]], (5, 6, 7), signal.spec)
    np.testing.assert_array_equal(read(tmp_path / f"a{suffix}").values, signal.values)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy", ".npz"])
def test_only_one_part_is_in_memory(tmp_path: Path, suffix: str) -> None:
    rows, columns, part = 4000, 1000, 50
    spec = replace(noise((1, 1), 3, "uint8").spec, shape=(rows, columns))

    def parts() -> Iterator[ndarray]:
        for first in range(0, rows, part):
            yield np.full((part, columns, 3), first % 256, np.uint8)

    tracemalloc.start()
    try:
        write_slabs(tmp_path / f"a{suffix}", parts(), (rows, columns), spec)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The picture has 12 MB, a part 150 KB; the PNG filters work on 256 KB at a time, with a dozen copies.
    assert peak < 5_000_000
    assert read(tmp_path / f"a{suffix}").values[-1, -1, 0] == (rows - part) % 256


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy", ".bmp"])
@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([(3, 7, 3)], "5 samples along the first axis, got 3"),
        ([(3, 7, 3), (3, 7, 3)], "5 samples along the first axis, got 6"),
        ([(5, 7, 4)], "3 channels like the signal"),
        ([(5, 6, 3)], "got a part of shape \\(5, 6, 3\\)"),
        ([(5, 7)], "got a part of shape"),
        ([], "got 0"),
    ],
)
def test_parts_that_do_not_fit(
    tmp_path: Path, suffix: str, parts: list[tuple[int, ...]], message: str
) -> None:
    spec = noise((5, 7), 3, "uint8").spec
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match=message):
        write_slabs(path, [np.zeros(shape, np.uint8) for shape in parts], (5, 7), spec)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_values_of_another_type(tmp_path: Path) -> None:
    signal = noise((5, 7), 3, "uint8")
    with pytest.raises(InputError, match=r"must be of type uint8, got float32; see SignalSpec\.quantise"):
        write(tmp_path / "a.png", signal.normalised(), signal.spec)
    assert not list(tmp_path.iterdir())


# --- the PNG encoder ----------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    npst.arrays(
        st.sampled_from(["uint8", "uint16"]),
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)),
        elements=st.integers(0, 255),
    ),
    st.integers(1, 200),
)
def test_pngs_are_decoded_by_pillow_and_opencv(values: ndarray, chunk_bytes: int) -> None:
    if values.dtype == np.uint16:
        values *= 257
    file = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("partinr.signals.png._CHUNK_BYTES", chunk_bytes)
        write_png(file.write, [values], values.shape)
    channels = values.shape[2]
    by_opencv = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_UNCHANGED)
    order = {1: None, 2: [0, 3], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    by_opencv = by_opencv[..., None] if order is None else by_opencv[..., order]
    np.testing.assert_array_equal(by_opencv, values)
    with Image.open(io.BytesIO(file.getvalue())) as image:
        image.verify()
    if values.dtype == np.uint8:
        with Image.open(io.BytesIO(file.getvalue())) as image:
            np.testing.assert_array_equal(np.array(image).reshape(values.shape), values)


def test_each_png_filter_is_used_and_decoded() -> None:
    """Five pictures, each of which one filter turns to zeros."""
    rng = np.random.default_rng(0)
    row = rng.integers(0, 256, (1, 64, 1), dtype=np.uint8)
    ramp = np.arange(64, dtype=np.uint8)[None, :, None] * np.uint8(3)
    average = np.zeros((8, 64, 1), np.uint8)
    average[0] = rng.integers(0, 256, (64, 1))
    for r in range(1, 8):
        for c in range(64):
            left = int(average[r, c - 1, 0]) if c else 0
            average[r, c] = (left + int(average[r - 1, c, 0])) // 2
    pictures = {
        0: rng.integers(0, 2, (8, 64, 1)).astype(np.uint8) * np.uint8(128),
        1: np.concatenate([ramp + rng.integers(0, 256, dtype=np.uint8) for _ in range(8)]),
        2: np.repeat(row, 8, axis=0),
        3: average,
        4: (row + np.arange(0, 64, 8, dtype=np.uint8)[:, None, None] // 8).astype(np.uint8),
    }
    used: set[int] = set()
    for picture in pictures.values():
        file = io.BytesIO()
        write_png(file.write, [picture], picture.shape)
        used |= {int(row[0]) for row in filtered_rows(file.getvalue(), 65)}
        with Image.open(io.BytesIO(file.getvalue())) as image:
            np.testing.assert_array_equal(np.array(image), picture[..., 0])
    assert used == {0, 1, 2, 3, 4}


def filtered_rows(png: bytes, row_bytes: int) -> ndarray:
    """The rows of a PNG as they are compressed, each with its filter in front."""
    import zlib

    data, at = b"", 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(-1, row_bytes)


def test_photographs_compress_as_well_as_with_pillow() -> None:
    from skimage.data import astronaut

    picture = astronaut()[:200, :300]
    ours, theirs = io.BytesIO(), io.BytesIO()
    write_png(ours.write, [picture], picture.shape)
    Image.fromarray(picture).save(theirs, "PNG")
    assert ours.tell() < 1.1 * theirs.tell()


# --- what a format cannot hold ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "shape", "channels", "dtype", "kind", "choices"),
    [
        (".png", (5, 7), 3, "float32", "image", ".tif, .npy, .pfm, .npz"),
        (".png", (5, 7), 1, "int16", "array", ".tif, .npy, .npz"),
        (".png", (5, 7), 1, "bool", "array", ".npy, .npz"),
        (".png", (4, 5, 7), 1, "uint8", "array", ".tif, .npy, .npz"),
        (".png", (7,), 1, "uint8", "array", ".npy, .npz"),
        (".png", (5, 7), 2, "uint8", "array", ".tif, .npy, .npz"),
        (".png", (5, 7), 5, "uint8", "image", ".tif, .npy, .npz"),
        (".tif", (7,), 1, "uint8", "array", ".npy, .npz"),
        (".tif", (5, 7), 1, "int64", "array", ".npy, .npz"),
        (".tiff", (5, 7), 1, "bool", "array", ".npy, .npz"),
        (".jpg", (5, 7), 4, "uint8", "image", ".png, .tif, .npy, .webp, .npz"),
        (".jpeg", (5, 7), 2, "uint8", "image", ".png, .tif, .npy, .npz"),
        (".jpg", (5, 7), 3, "uint16", "image", ".png, .tif, .npy, .npz"),
        (".jpg", (1, 70_000), 1, "uint8", "image", ".png, .tif, .npy, .bmp, .pgm, .npz"),
        (".webp", (5, 7), 1, "uint8", "image", ".png, .tif, .npy, .jpg, .bmp, .pgm, .npz"),
        (".webp", (1, 20_000), 3, "uint8", "image", ".png, .tif, .npy, .jpg, .bmp, .ppm, .npz"),
        (".bmp", (5, 7), 4, "uint8", "image", ".png, .tif, .npy, .webp, .npz"),
        (".pgm", (5, 7), 3, "uint8", "image", ".png, .tif, .npy, .jpg, .webp, .bmp, .ppm, .npz"),
        (".ppm", (5, 7), 1, "uint8", "image", ".png, .tif, .npy, .jpg, .bmp, .pgm, .npz"),
        (".gif", (5, 7), 3, "uint8", "image", ".png, .tif, .npy, .jpg, .webp, .bmp, .ppm, .npz"),
        ("", (5, 7), 3, "uint16", "image", ".png, .tif, .npy, .npz"),
    ],
)
def test_formats_that_cannot_hold_the_data_name_those_that_can(
    tmp_path: Path, suffix: str, shape: tuple[int, ...], channels: int, dtype: str, kind: Kind, choices: str
) -> None:
    spec = SignalSpec(kind, shape, channels, dtype, (0.0, 1.0), True)
    values = np.zeros((*shape, channels), dtype)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match=f"; use {re.escape(choices)}$") as caught:
        write(path, values, spec)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    # The advice is good.
    for choice in choices.split(", "):
        write(tmp_path / f"b{choice}", values, spec)
        assert read(tmp_path / f"b{choice}").spec.dtype == dtype


def test_every_combination_is_either_refused_or_comes_back(tmp_path: Path) -> None:
    for file_format in FORMATS:
        for dtype in ("bool", "uint8", "uint16", "float32"):
            for dims, shape in SHAPES.items():
                for channels in (1, 2, 3, 4, 5):
                    signal = noise(shape, channels, dtype)
                    path = tmp_path / f"a{file_format.suffixes[0]}"
                    # Some suffixes are those of pictures and of animations.
                    alike = [f for f in FORMATS if f.suffixes[0] == file_format.suffixes[0]]
                    if not any(f.holds(shape, signal.spec) for f in alike):
                        with pytest.raises(InputError):
                            writable_format(path, shape, signal.spec)
                    if not file_format.holds(shape, signal.spec):
                        continue
                    write(path, signal.values, signal.spec)
                    # OME-Zarr says itself which axis has the channels, the first one.
                    again = read(path, channels_last=None if file_format.name == "OME-Zarr" else True)
                    films = file_format.name in ("MP4", "MOV", "WebM")
                    found = 3 if channels == 1 and (films or file_format.name == "animated GIF") else channels
                    assert (again.shape, again.channels, again.spec.dtype) == (shape, found, dtype), dims
                    if file_format.name != "JPEG" and not films:
                        np.testing.assert_array_equal(
                            again.values, np.broadcast_to(signal.values, again.values.shape)
                        )


def test_nothing_is_asked_of_the_parts_before_the_format_is_known(tmp_path: Path) -> None:
    def parts() -> Iterator[ndarray]:
        raise AssertionError
        yield

    spec = noise((5, 7), 3, "float32").spec
    with pytest.raises(InputError, match="PNG holds"):
        write_slabs(tmp_path / "a.png", parts(), (5, 7), spec)
    with pytest.raises(InputError, match="does not exist"):
        write_slabs(tmp_path / "missing" / "a.tif", parts(), (5, 7), spec)


def test_an_empty_picture_is_refused(tmp_path: Path) -> None:
    spec = noise((5, 7), 3, "uint8").spec
    with pytest.raises(InputError, match="at least one sample"):
        write(tmp_path / "a.png", np.zeros((0, 7, 3), np.uint8), spec)


# --- failures in the middle ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy", ".jpg"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_a_failure_in_the_middle_leaves_the_old_file(
    tmp_path: Path, suffix: str, error: type[BaseException]
) -> None:
    def parts() -> Iterator[ndarray]:
        yield np.ones((20, 30, 3), np.uint8)
        raise error

    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(error):
        write_slabs(path, parts(), (40, 30), noise((40, 30), 3, "uint8").spec)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a process's files")
@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy", ".jpg", ".webp", ".bmp", ".ppm"])
def test_a_disk_that_takes_no_more_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    import resource

    signal = noise((100, 100), 3, "uint8")
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            write(path, signal.values, signal.spec)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
