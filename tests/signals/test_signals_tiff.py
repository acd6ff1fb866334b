"""TIFF files of every depth, layout and compression, and stacks of pages."""

from __future__ import annotations

import itertools
import logging
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy import ndarray
from PIL import Image

from partinr.errors import InputError
from partinr.signals import read

DTYPES = ["uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64"]


def noise(shape: tuple[int, ...], dtype: str = "uint16") -> ndarray:
    rng = np.random.default_rng(math.prod(shape))
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def tiff(path: Path, values: ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, values, **options)
    return path


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_grey_of_every_type(tmp_path: Path, dtype: str, byteorder: Any) -> None:
    values = noise((5, 7), dtype)
    signal = read(tiff(tmp_path / "a.tif", values, photometric="minisblack", byteorder=byteorder))
    assert (signal.spec.dtype, signal.spec.kind, signal.spec.channel_axis) == (dtype, "image", False)
    np.testing.assert_array_equal(signal.values[..., 0], values)
    if np.dtype(dtype).kind == "f":
        assert signal.spec.value_range == (values.min(), values.max())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib", "predictor": True},
        {"tile": (16, 16)},
        {"bigtiff": True},
        {"metadata": None},
    ],
    ids=str,
)
def test_colour_in_every_layout(
    tmp_path: Path, dtype: str, channels: int, planar: Any, options: dict[str, Any]
) -> None:
    if dtype == "float32":
        # A predictor for these is written only with the library imagecodecs.
        options = {name: value for name, value in options.items() if name != "predictor"}
    values = noise((20, 31, channels), dtype)
    alpha = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    path = tiff(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, **alpha, **options)
    signal = read(path)
    assert (signal.shape, signal.channels, signal.spec.dtype) == ((20, 31), channels, dtype)
    np.testing.assert_array_equal(signal.values, values)


@pytest.mark.parametrize("metadata", [{}, None])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_pages_become_planes(tmp_path: Path, channels: int, metadata: Any) -> None:
    values = noise((4, 5, 7, channels))
    options: dict[str, Any] = {
        "photometric": "rgb" if channels in (3, 4) else "minisblack",
        "metadata": metadata,
    }
    if channels > 1:
        options |= {"planarconfig": "contig"}
    path = tiff(tmp_path / "a.tif", values if channels > 1 else values[..., 0], **options)
    signal = read(path)
    assert (signal.shape, signal.channels) == ((4, 5, 7), channels)
    assert signal.metadata["frames"] == 4
    np.testing.assert_array_equal(signal.values, values)


def test_pages_that_pillow_wrote(tmp_path: Path) -> None:
    values = noise((3, 5, 7, 3), "uint8")
    first, *others = [Image.fromarray(v) for v in values]
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    np.testing.assert_array_equal(read(tmp_path / "a.tif").values, values)


@pytest.mark.parametrize("imagej", [False, True])
def test_a_stack_in_one_block_with_one_page(tmp_path: Path, imagej: bool) -> None:
    values = noise((4, 5, 7))
    axes = {"metadata": {"axes": "ZYX"}} if imagej else {}
    path = tiff(tmp_path / "a.tif", values, photometric="minisblack", truncate=True, imagej=imagej, **axes)
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    np.testing.assert_array_equal(read(path).values[..., 0], values)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="truncated"):
        read(path)


def test_a_stack_of_which_pages_are_missing(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.ome.tif", noise((4, 5, 7)), photometric="minisblack", metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as file:
        description = file.ome_metadata
    assert description is not None
    with tifffile.TiffWriter(path, ome=False) as writer:
        for i, plane in enumerate(noise((4, 5, 7))[:2]):
            text = description if i == 0 else None
            writer.write(plane, photometric="minisblack", metadata=None, description=text)
    with pytest.raises(InputError, match="pages of the stack are missing"):
        read(path)


def test_pages_of_different_sizes_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(noise((5, 7)), photometric="minisblack", metadata=None)
        writer.write(noise((4, 3)), photometric="minisblack", metadata=None)
    with pytest.raises(InputError, match=r"holds 2 pages of several sizes, .*--picture N .* 0 to 1"):
        read(path)
    np.testing.assert_array_equal(read(path, picture=1).values[..., 0], noise((4, 3)))
    with pytest.raises(InputError, match="--picture must be 0 to 1, got 2"):
        read(path, picture=2)


def test_previews_are_not_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(noise((5, 7)), photometric="minisblack", metadata=None)
        writer.write(noise((2, 3)), photometric="minisblack", metadata=None, subfiletype=1)
    np.testing.assert_array_equal(read(path).values[..., 0], noise((5, 7)))


@pytest.mark.parametrize("imagej", [False, True])
def test_one_page_of_a_stack(tmp_path: Path, imagej: bool) -> None:
    """Behind pages of their own, or all behind one."""
    values = noise((4, 5, 7))
    options = {"imagej": True, "truncate": True, "metadata": {"axes": "ZYX"}} if imagej else {}
    path = tiff(tmp_path / "a.tif", values, photometric="minisblack", **options)
    signal = read(path, picture=2)
    np.testing.assert_array_equal(signal.values[..., 0], values[2])
    assert (signal.shape, signal.spec.kind) == ((5, 7), "image")
    for options in ({"picture": 4}, {"every": 2}):
        with pytest.raises(InputError, match=r"--picture must be 0 to 3|pages have no times"):
            read(path, **options)


@pytest.mark.parametrize(
    ("axes", "shape", "expected", "channels"),
    [
        ("ZYX", (4, 5, 7), (4, 5, 7), 1),
        ("TYX", (4, 5, 7), (4, 5, 7), 1),
        ("CYX", (4, 5, 7), (5, 7), 4),
        ("ZCYX", (4, 2, 5, 7), (4, 5, 7), 2),
        ("CZYX", (2, 4, 5, 7), (4, 5, 7), 2),
    ],
)
def test_named_axes(
    tmp_path: Path, axes: str, shape: tuple[int, ...], expected: tuple[int, ...], channels: int
) -> None:
    values = noise(shape)
    path = tiff(tmp_path / "a.ome.tif", values, photometric="minisblack", metadata={"axes": axes})
    signal = read(path)
    assert (signal.shape, signal.channels) == (expected, channels)
    moved = np.moveaxis(values, axes.index("C"), -1) if "C" in axes else values[..., None]
    np.testing.assert_array_equal(signal.values, moved)


@pytest.mark.parametrize(("axes", "shape"), [("TZYX", (2, 3, 4, 5)), ("CYXS", (2, 4, 5, 3))])
def test_more_axes_than_a_signal_has(tmp_path: Path, axes: str, shape: tuple[int, ...]) -> None:
    path = tmp_path / "a.ome.tif"
    photometric = "rgb" if "S" in axes else "minisblack"
    tiff(path, noise(shape, "uint8"), photometric=photometric, metadata={"axes": axes})
    with pytest.raises(InputError, match=r"axes \(plane, row, column, channel\), got"):
        read(path)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 1), (1, 1)),
        ((1, 7), (1, 7)),
        ((5, 1), (5, 1)),
        ((1, 5, 7), (1, 5, 7)),
        ((1, 1, 1), (1, 1, 1)),
        ((4, 1, 7), (4, 1, 7)),
        # tifffile takes a last axis of length 1 for the samples of a pixel.
        ((4, 7, 1), (4, 7)),
        ((4, 1, 1), (4, 1)),
    ],
)
def test_axes_of_one_sample(tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    values = noise(shape)
    signal = read(tiff(tmp_path / "a.tif", values, photometric="minisblack"))
    np.testing.assert_array_equal(signal.values, values.reshape(*expected, 1))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16"])
def test_where_zero_is_white(tmp_path: Path, dtype: str) -> None:
    values = noise((5, 8), "uint8").astype(dtype) if dtype != "bool" else noise((5, 8), "uint8") > 99
    signal = read(tiff(tmp_path / "a.tif", values, photometric="miniswhite"))
    if dtype == "bool":
        np.testing.assert_array_equal(signal.values[..., 0], np.where(values, 0, 255))
        assert signal.spec.dtype == "uint8"
    else:
        np.testing.assert_array_equal(signal.values[..., 0], np.iinfo(dtype).max - values)


@pytest.mark.parametrize("pages", [1, 3])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path: Path, orientation: int, pages: int) -> None:
    values = noise((pages, 5, 7, 3), "uint8")
    stored = values if pages > 1 else values[0]
    tag = [(274, "H", 1, orientation, False)]
    path = tiff(tmp_path / "a.tif", stored, photometric="rgb", extratags=tag, metadata=None)
    found = read(path).values.reshape(pages, -1, 3)
    for page in range(pages):
        with Image.open(path) as image:  # turned by Pillow itself
            image.seek(page)
            np.testing.assert_array_equal(found[page], np.array(image).reshape(-1, 3))
    assert read(path).shape[-2:] == ((7, 5) if orientation > 4 else (5, 7))


# --- compressions that tifffile leaves to another library ---------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "compression"),
    [
        ("1", "group4"),
        *itertools.product(
            ("L", "LA", "RGB", "RGBA", "P", "CMYK", "I;16", "F"),
            ("tiff_lzw", "tiff_adobe_deflate", "packbits"),
        ),
    ],
)
@pytest.mark.parametrize("pages", [1, 3])
def test_compressed_by_pillow(tmp_path: Path, mode: str, compression: str, pages: int) -> None:
    bands = len(Image.new(mode, (1, 1)).getbands())
    depth = {"I;16": 2, "F": 4}.get(mode, 1)
    images = []
    for i in range(pages):
        values = noise((5, 8, bands * depth), "uint8") ^ np.uint8(i)
        if mode == "F":
            values = noise((5, 8), "float32") + i
        if mode == "1":
            images.append(Image.fromarray(values[..., 0] > 99))
        else:
            images.append(Image.frombytes(mode, (8, 5), values.tobytes()))
            if mode == "P":
                images[-1].putpalette(noise((256, 3), "uint8").tobytes())
    path = tmp_path / "a.tif"
    images[0].save(path, compression=compression, save_all=True, append_images=images[1:])
    signal = read(path)
    target = {"1": "L", "P": "RGB", "CMYK": "RGB"}.get(mode, mode)
    expected = np.stack([np.array(image.convert(target)) for image in images])
    assert signal.shape == ((pages, 5, 8) if pages > 1 else (5, 8))
    np.testing.assert_array_equal(signal.values.reshape(expected.shape), expected)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("orientation", [1, 6])
def test_16_bit_lzw_keeps_every_bit(
    tmp_path: Path, channels: int, orientation: int, capfd: pytest.CaptureFixture[str]
) -> None:
    values = noise((20, 31, channels))
    blue_first = values[..., [2, 1, 0, 3][:channels]] if channels > 1 else values
    done, encoded = cv2.imencode(".tif", blue_first, [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    assert done
    capfd.readouterr()
    path = tmp_path / "写真.tif"
    path.write_bytes(encoded.tobytes())
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].compression == 5
    if orientation != 1:
        with_orientation(path, orientation)
    signal = read(path)
    assert signal.spec.dtype == "uint16"
    expected = values if orientation == 1 else np.rot90(values, -1)
    np.testing.assert_array_equal(signal.values, expected)
    assert capfd.readouterr() == ("", "")


def with_orientation(path: Path, orientation: int) -> None:
    """Put an orientation in the place of a tag of the same type that readers do without."""
    content = bytearray(path.read_bytes())
    start = int.from_bytes(content[4:8], "little")
    count = int.from_bytes(content[start : start + 2], "little")
    entries = [content[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    tag = (274).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little")
    tag += orientation.to_bytes(4, "little")
    kept = [e for e in entries if int.from_bytes(e[:2], "little") != 274]
    if len(kept) == len(entries):
        content += b"\0" * (len(content) % 2)
        content[4:8] = len(content).to_bytes(4, "little")
    entries = sorted([*kept, tag], key=lambda e: int.from_bytes(e[:2], "little"))
    block = len(entries).to_bytes(2, "little") + b"".join(entries) + bytes(4)
    if len(kept) == len(entries) - 1 and count == len(entries):
        content[start : start + len(block)] = block
    else:
        content += block
    path.write_bytes(content)


# --- alpha --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [2, 4])
def test_premultiplied_alpha_becomes_straight(tmp_path: Path, dtype: str, channels: int) -> None:
    top = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    alpha = np.array([0, 0.25, 0.5, 1])[None, :, None]
    colour = np.array([0.0, 1, 0.5, 0.75])[None, :, None] * np.ones(channels - 1)
    straight = np.concatenate([colour, np.broadcast_to(alpha, (1, 4, 1))], axis=-1)
    stored = np.concatenate([colour * alpha, np.broadcast_to(alpha, (1, 4, 1))], axis=-1) * top
    stored = stored if dtype == "float32" else np.rint(stored)
    path = tmp_path / "a.tif"
    tiff(
        path,
        stored.astype(dtype),
        photometric="rgb" if channels == 4 else "minisblack",
        planarconfig="contig",
        extrasamples=["assocalpha"],
    )
    found = read(path)
    assert found.spec.dtype == dtype
    np.testing.assert_allclose(found.values / top, straight, atol=0.01)


def test_other_extra_samples_are_left_alone(tmp_path: Path) -> None:
    values = noise((5, 7, 5))
    extra = {"extrasamples": ["unassalpha", "unspecified"]}
    path = tiff(tmp_path / "a.tif", values, photometric="rgb", planarconfig="contig", **extra)
    np.testing.assert_array_equal(read(path).values, values)


# --- limits and damage --------------------------------------------------------------------------------------


def test_the_pixel_limit_counts_all_planes(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", noise((4, 5, 7)), photometric="minisblack")
    assert read(path, max_pixels=140).shape == (4, 5, 7)
    with pytest.raises(InputError, match=r"at most 139 pixels, got 140 \(4 x 5 x 7\)"):
        read(path, max_pixels=139)
    assert read(path, max_pixels=None).shape == (4, 5, 7)


def test_the_pixel_limit_holds_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiff(tmp_path / "a.tif", np.zeros((2000, 2000), np.uint8), compression="zlib")
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(tifffile.TiffFile, "asarray", None)
    with pytest.raises(InputError, match="at most 1,000,000 pixels, got 4,000,000"):
        read(path, max_pixels=1_000_000)


@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"rowsperstrip": 4}], ids=str
)
@pytest.mark.parametrize("shape", [(40, 50), (3, 40, 50)])
def test_truncated_files(tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    path = tiff(tmp_path / "a.tif", noise(shape), photometric="minisblack", **options)
    whole = path.read_bytes()
    refused = 0
    for length in [*range(1, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:length])
        try:
            signal = read(path)
        except InputError:
            refused += 1
        else:
            # Padding and later tags may be cut off; no pixel may.
            np.testing.assert_array_equal(signal.values[..., 0], noise(shape))
            assert length > len(whole) - 1000
    assert refused >= len(whole) // 1000


def test_what_tifffile_logs_of_damaged_files_goes_nowhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the handlers of pytest, as in a program that has set up no logging.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    handlers = list(logging.getLogger("tifffile").handlers)
    path = tiff(tmp_path / "a.tif", noise((4, 5, 7)), imagej=True, truncate=True, metadata={"axes": "ZYX"})
    path.write_bytes(path.read_bytes()[:-1])
    with tifffile.TiffFile(path) as file:
        assert file.series
    assert "corrupted file" in capfd.readouterr().err
    with pytest.raises(InputError, match="truncated"):
        read(path)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("tifffile").handlers == handlers


def test_values_that_are_no_signal(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", np.array([[0, np.inf]], np.float32), photometric="minisblack")
    with pytest.raises(InputError, match="finite"):
        read(path)
    path = tiff(tmp_path / "a.tif", np.zeros((3, 4), np.complex64), photometric="minisblack")
    with pytest.raises(InputError, match="complex64"):
        read(path)
