"""Images of every mode give exactly the values that they should."""

from __future__ import annotations

import itertools
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image, ImageOps

from partinr.errors import InputError
from partinr.signals import MAX_PIXELS, from_array, read
from partinr.signals.decoding import check_pixels
from partinr.signals.image import image_values

ROWS, COLUMNS = 5, 7


def noise(channels: int, dtype: str = "uint8", shape: tuple[int, int] = (ROWS, COLUMNS)) -> ndarray:
    """Random pixels; no axis for a single channel."""
    full = (*shape, channels) if channels > 1 else shape
    return np.random.default_rng(channels).integers(0, np.iinfo(dtype).max, full, dtype=dtype, endpoint=True)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def plain_png(values: ndarray, before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG of 8 or 16 bits by the shortest way that the specification allows: no filters, one chunk."""
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[1 if values.ndim == 2 else values.shape[2]]
    return png_of(values, 8 * values.dtype.itemsize, colour_type, before, after)


def png_of(samples: ndarray, depth: int, colour_type: int, before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG of samples of any depth, which each row packs from the highest bit down (specification, 7.2)."""
    rows, columns = samples.shape[:2]
    header = struct.pack(">IIBBBBB", columns, rows, depth, colour_type, 0, 0, 0)
    digits = (samples.reshape(rows, -1, 1) >> np.arange(depth - 1, -1, -1, dtype=samples.dtype)) & 1
    packed = np.packbits(digits.astype(np.uint8).reshape(rows, -1), axis=1)
    data = b"".join(b"\0" + row.tobytes() for row in packed)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + before
        + chunk(b"IDAT", zlib.compress(data))
        + after
        + chunk(b"IEND", b"")
    )


def read_as(path: Path, image: Image.Image, **options: object) -> ndarray:
    """The values read from an image that Pillow wrote, without the axis of a single channel."""
    image.save(path, **options)
    return values_of(path)


def values_of(path: Path) -> ndarray:
    signal = read(path)
    assert signal.spec.kind == "image"
    assert signal.spec.channel_axis == (signal.channels > 1)
    assert signal.values.flags.c_contiguous
    assert not signal.values.flags.writeable
    assert signal.values.dtype == signal.spec.dtype
    return signal.values.reshape(signal.spec.array_shape)


# --- modes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "channels"),
    [*itertools.product((".png", ".tif"), (1, 2, 3, 4)), *itertools.product((".webp",), (3, 4))],
)
def test_modes_of_8_bits(tmp_path: Path, channels: int, suffix: str) -> None:
    values = noise(channels)
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    read_values = read_as(tmp_path / f"a{suffix}", Image.fromarray(values), **options)
    assert read_values.dtype == np.uint8
    np.testing.assert_array_equal(read_values, values)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".gif", ".pbm"])
def test_1_bit_is_black_and_white(tmp_path: Path, suffix: str) -> None:
    bits = noise(1) > 127
    values = read_as(tmp_path / f"a{suffix}", Image.fromarray(bits))
    assert values.dtype == np.uint8
    if suffix == ".gif":  # a palette there
        values = values[..., 0] if values.ndim == 3 else values
    np.testing.assert_array_equal(values, bits * np.uint8(255))


def palette_image() -> tuple[Image.Image, ndarray]:
    """An image with a palette and its colours."""
    colours = np.random.default_rng(0).integers(0, 256, (16, 3), dtype=np.uint8)
    indices = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) % 16
    image = Image.fromarray(indices.astype(np.uint8), "L")
    image.putpalette(colours.tobytes())
    return image, colours[indices]


@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif", ".bmp", ".pcx"])
def test_palettes_become_rgb(tmp_path: Path, suffix: str) -> None:
    image, colours = palette_image()
    np.testing.assert_array_equal(read_as(tmp_path / f"a{suffix}", image), colours)


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_a_transparent_colour_of_a_palette_becomes_alpha(tmp_path: Path, suffix: str) -> None:
    image, colours = palette_image()
    indices = np.array(image)
    values = read_as(tmp_path / f"a{suffix}", image, transparency=3)
    assert values.shape == (ROWS, COLUMNS, 4)
    np.testing.assert_array_equal(values[..., 3], np.where(indices == 3, 0, 255))
    opaque = values[..., 3] == 255
    np.testing.assert_array_equal(values[opaque, :3], colours[opaque])


def test_a_palette_with_an_alpha_for_each_colour(tmp_path: Path) -> None:
    image, colours = palette_image()
    alpha = np.arange(16, dtype=np.uint8) * 15
    values = read_as(tmp_path / "a.png", image, transparency=alpha.tobytes())
    np.testing.assert_array_equal(values[..., :3], colours)
    np.testing.assert_array_equal(values[..., 3], alpha[np.array(image)])


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_without_a_palette(tmp_path: Path, channels: int, dtype: str) -> None:
    values = noise(channels, dtype)
    key = np.atleast_1d(values[2, 3])
    path = tmp_path / "a.png"
    path.write_bytes(plain_png(values, before=chunk(b"tRNS", key.astype(">u2").tobytes())))
    found = values_of(path)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[..., :-1], values.reshape(ROWS, COLUMNS, channels))
    transparent = (values.reshape(ROWS, COLUMNS, channels) == key).all(axis=-1)
    assert transparent.any()
    assert not transparent.all()
    np.testing.assert_array_equal(found[..., -1], np.where(transparent, 0, np.iinfo(dtype).max))


def test_a_transparent_value_of_1_bit(tmp_path: Path) -> None:
    bits = noise(1) > 127
    values = read_as(tmp_path / "a.png", Image.fromarray(bits), transparency=0)
    np.testing.assert_array_equal(values[..., 0], bits * np.uint8(255))
    np.testing.assert_array_equal(values[..., 1], bits * np.uint8(255))


@pytest.mark.parametrize(
    ("mode", "suffix"), [("CMYK", ".tif"), ("CMYK", ".jpg"), ("YCbCr", ""), ("RGBX", ""), ("HSV", "")]
)
def test_other_colours_become_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    image = Image.frombytes(mode, (COLUMNS, ROWS), noise(len(Image.new(mode, (1, 1)).getbands())).tobytes())
    path = tmp_path / f"a{suffix}"
    if not suffix:  # no file that Pillow writes gives this mode
        values = image_values(image)
    else:
        values = read_as(path, image)
        with Image.open(path) as image:
            image.load()
    assert values.shape == (ROWS, COLUMNS, 3)
    np.testing.assert_array_equal(values, np.array(image.convert("RGB")))


def test_lab_becomes_srgb(tmp_path: Path) -> None:
    # Black, the middle grey of sRGB, white, and pure red, whose L*a*b* under D50 is 54.3, 80.8, 69.9.
    lab = np.array([[[0, 0, 0], [136, 0, 0], [255, 0, 0], [138, 81, 70]]], np.uint8)
    values = read_as(tmp_path / "a.tif", Image.frombytes("LAB", (4, 1), lab.tobytes()))
    expected = np.array([[[0, 0, 0], [128, 128, 128], [255, 255, 255], [255, 0, 0]]])
    np.testing.assert_allclose(values, expected, atol=6)


def test_premultiplied_modes_become_straight() -> None:
    rgba = np.array([[[200, 100, 0, 255], [200, 100, 50, 51], [0, 0, 0, 0]]], np.uint8)
    straight = image_values(Image.fromarray(rgba).convert("RGBa"))
    np.testing.assert_allclose(straight, rgba, atol=5)
    grey = np.array([[[200, 255], [100, 51], [0, 0]]], np.uint8)
    np.testing.assert_allclose(image_values(Image.fromarray(grey).convert("La")), grey, atol=5)


def test_palettes_with_alpha_in_memory() -> None:
    image = Image.new("PA", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), (1, 7))
    np.testing.assert_array_equal(image_values(image), [[[40, 50, 60, 7], [10, 20, 30, 0]]])


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *[(mode, ".png") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")],
        *[("CMYK", ".jpg"), ("YCbCr", ".jpg"), ("LAB", ".tif"), ("F", ".tif"), ("I", ".tif"), ("P", ".gif")],
    ],
)
def test_a_picture_in_memory_is_what_its_file_is(tmp_path: Path, mode: str, suffix: str) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (6, 4, 3)).astype(np.uint8))
    if mode == "P":
        image = image.quantize(7)
    elif mode.startswith("I"):
        image = Image.fromarray(rng.integers(0, 60000, (6, 4)).astype("uint16" if ";" in mode else "int32"))
    elif mode == "LAB":
        image = Image.frombytes("LAB", (4, 6), image.tobytes())
    else:
        image = image.convert(mode)
    path = tmp_path / f"picture{suffix}"
    image.save(path)
    expected = read(path)
    with Image.open(path) as opened:
        found = from_array(opened)
    assert found.spec == expected.spec
    assert found.metadata == expected.metadata
    np.testing.assert_array_equal(found.values, expected.values)
    if suffix != ".jpg":
        np.testing.assert_array_equal(from_array(image).values, expected.values)


def test_a_picture_in_memory_is_turned_as_its_file_is(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as opened:
        np.testing.assert_array_equal(from_array(opened).values, read(tmp_path / "turned.png").values)


def test_a_transparent_colour_in_memory_becomes_alpha() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 1)
    image.info["transparency"] = 1
    np.testing.assert_array_equal(from_array(image).values, [[[40, 50, 60, 0], [10, 20, 30, 255]]])


def test_a_damaged_picture_in_memory_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 40)).astype(np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-900])
    with Image.open(path) as opened, pytest.raises(InputError, match=r"cut\.png: cannot be decoded"):
        from_array(opened)


def test_the_columns_of_a_narrow_picture_are_no_channels() -> None:
    assert from_array(Image.new("F", (3, 20), 0.5)).shape == (20, 3)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("I;16", ".png"), ("I;16", ".tif"), ("I;16B", ".tif"), ("I;16", ".jp2")]
)
def test_16_bit_grey(tmp_path: Path, mode: str, suffix: str) -> None:
    values = noise(1, "uint16")
    order = ">" if mode.endswith("B") else "<"
    image = Image.frombytes(mode, (COLUMNS, ROWS), values.astype(f"{order}u2").tobytes())
    found = read_as(tmp_path / f"a{suffix}", image, **({"irreversible": False} if suffix == ".jp2" else {}))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, values)
    assert read(tmp_path / f"a{suffix}").spec.value_range == (0, 65535)


def test_16_bit_pgm(tmp_path: Path) -> None:
    values = noise(1, "uint16")
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 7 5 65535\n" + values.astype(">u2").tobytes())
    assert read(path).spec.dtype == "uint16"
    np.testing.assert_array_equal(values_of(path), values)


def test_32_bit_integers_and_floats_have_their_own_range(tmp_path: Path) -> None:
    whole = np.array([[-5, 70000], [3, 4]], np.int32)
    path = tmp_path / "a.tif"
    np.testing.assert_array_equal(read_as(path, Image.fromarray(whole)), whole)
    assert (read(path).spec.dtype, read(path).spec.value_range) == ("int32", (-5, 70000))
    real = np.array([[-0.5, 2.25], [1, 0]], np.float32)
    for name in ("b.tif", "b.pfm"):
        path = tmp_path / name
        np.testing.assert_array_equal(read_as(path, Image.fromarray(real)), real)
        assert (read(path).spec.dtype, read(path).spec.value_range) == ("float32", (-0.5, 2.25))
    np.testing.assert_array_equal(image_values(Image.fromarray(whole)), whole)


def test_infinity_in_a_float_image(tmp_path: Path) -> None:
    path = tmp_path / "a.pfm"
    Image.fromarray(np.array([[0, np.inf]], np.float32)).save(path)
    with pytest.raises(InputError, match=r"a\.pfm: signal values must be finite"):
        read(path)


def test_one_pixel(tmp_path: Path) -> None:
    signal_values = read_as(tmp_path / "a.png", Image.new("RGB", (1, 1), (1, 2, 3)))
    np.testing.assert_array_equal(signal_values, [[[1, 2, 3]]])
    assert read(tmp_path / "a.png").shape == (1, 1)


def test_a_value_range_is_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (4, 3), 15).save(path)
    assert read(path, value_range=(0.0, 15.0)).spec.value_range == (0, 15)
    with pytest.raises(InputError, match="must lie in value_range"):
        read(path, value_range=(0.0, 14.0))


# --- orientation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_orientation_of_8_bits(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"a{suffix}"
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(noise(3, shape=(16, 24))).save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.array(ImageOps.exif_transpose(image))
    assert expected.shape == ((24, 16, 3) if orientation > 4 else (16, 24, 3))
    np.testing.assert_array_equal(values_of(path), expected)


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_16_bits(tmp_path: Path, orientation: int, channels: int, behind: bool) -> None:
    values = noise(channels, "uint16")
    exif = Image.Exif()
    exif[274] = orientation
    part = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    path = tmp_path / "a.png"
    path.write_bytes(plain_png(values, **{"after" if behind else "before": part}))
    # Pillow turns the number of each pixel, which says where each pixel comes from.
    numbers = Image.fromarray(np.arange(ROWS * COLUMNS, dtype=np.int32).reshape(ROWS, COLUMNS))
    numbers.getexif()[274] = orientation
    origin = np.array(ImageOps.exif_transpose(numbers))
    flat = values.reshape(ROWS * COLUMNS, *values.shape[2:])
    np.testing.assert_array_equal(values_of(path), flat[origin])


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientations_that_are_none(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    values = noise(3)
    np.testing.assert_array_equal(read_as(tmp_path / "a.png", Image.fromarray(values), exif=exif), values)


# --- PNG of every depth -------------------------------------------------------------------------------------

GREY_DEPTHS, DEEP = (1, 2, 4, 8, 16), (8, 16)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize(
    ("colour_type", "channels", "depth"),
    [
        *[(0, 1, depth) for depth in GREY_DEPTHS],
        *[(colour_type, n, depth) for colour_type, n in ((2, 3), (4, 2), (6, 4)) for depth in DEEP],
    ],
)
def test_png_of_every_depth(
    tmp_path: Path, colour_type: int, channels: int, depth: int, transparent: bool
) -> None:
    """Samples are scaled to 8 or 16 bits; a transparent colour is compared before that (11.3.2.1)."""
    whole, dtype = (65535, np.uint16) if depth == 16 else (255, np.uint8)
    samples = np.random.default_rng(depth).integers(0, 2**depth, (ROWS, COLUMNS, channels), dtype=np.uint16)
    expected = samples.astype(int) * whole // (2**depth - 1)
    trns = b""
    if transparent and colour_type in (0, 2):
        key = samples[2, 3]
        trns = chunk(b"tRNS", key.astype(">u2").tobytes())
        alpha = np.where((samples == key).all(axis=-1), 0, whole)
        assert 0 < np.count_nonzero(alpha) < alpha.size
        expected = np.concatenate([expected, alpha[..., None]], axis=-1)
    path = tmp_path / "a.png"
    path.write_bytes(png_of(samples, depth, colour_type, before=trns))
    found = values_of(path)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


@pytest.mark.parametrize("alphas", [0, 1, 2])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_png_palettes_of_every_depth(tmp_path: Path, depth: int, alphas: int) -> None:
    rng = np.random.default_rng(depth)
    palette = rng.integers(0, 256, (2**depth, 4), dtype=np.uint8)
    palette[alphas:, 3] = 255
    indices = rng.integers(0, 2**depth, (ROWS, COLUMNS), dtype=np.uint8)
    parts = chunk(b"PLTE", palette[:, :3].tobytes())
    if alphas:
        parts += chunk(b"tRNS", palette[:alphas, 3].tobytes())
    path = tmp_path / "a.png"
    path.write_bytes(png_of(indices, depth, 3, before=parts))
    expected = palette[indices] if alphas else palette[indices][..., :3]
    np.testing.assert_array_equal(values_of(path), expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_keeps_every_bit(tmp_path: Path, channels: int) -> None:
    values = noise(channels, "uint16")
    path = tmp_path / "снимок 写真.png"
    path.write_bytes(plain_png(values))
    found = values_of(path)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, values)
    assert read(path).spec.value_range == (0, 65535)


def test_16_bit_png_is_not_changed_by_a_gamma(tmp_path: Path) -> None:
    values = noise(3, "uint16")
    path = tmp_path / "a.png"
    path.write_bytes(plain_png(values, before=chunk(b"gAMA", struct.pack(">I", 100_000))))
    np.testing.assert_array_equal(values_of(path), values)


def test_a_damaged_16_bit_png_is_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = plain_png(noise(3, "uint16", (40, 50)))
    path = tmp_path / "a.png"
    wrong_bit = bytearray(whole)
    wrong_bit[len(whole) // 2] ^= 1
    wrong_sum = bytearray(whole)
    wrong_sum[-13] ^= 1  # the checksum of the pixels, in front of the last chunk of 12 bytes
    cut = [whole[:n] for n in range(30, len(whole) - 12, 997)]
    for damaged in (*cut, bytes(wrong_bit), bytes(wrong_sum)):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="damaged"):
            read(path)
    assert capfd.readouterr() == ("", "")


# --- damage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".webp", ".ppm", ".tif"])
def test_truncated_images(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise(3, shape=(40, 50))).save(path)
    whole = path.read_bytes()
    for length in range(1, len(whole) * 9 // 10, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_an_image_of_no_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.ppm"
    path.write_bytes(b"P6 0 5 255\n")
    with pytest.raises(InputError):
        read(path)
    # Pillow refuses most by itself; what it lets pass is refused here.
    with pytest.raises(InputError, match="at least one pixel, got 5 x 0"):
        check_pixels(path, (5, 0), None)


def test_odd_files_warn_nobody(tmp_path: Path) -> None:
    """Pillow warns of an EXIF block that ends too early; the pixels are there all the same."""
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[270] = "a description of some length"
    block = exif.tobytes()[:-20]
    Image.new("L", (4, 3), 7).save(path, exif=block)
    with pytest.warns(UserWarning, match="Truncated|Corrupt"), Image.open(path) as image:
        image.getexif()
    before = list(warnings.filters)
    assert (values_of(path) == 7).all()
    assert warnings.filters == before


# --- decompression bombs ------------------------------------------------------------------------------------


def bomb(path: Path, columns: int, rows: int) -> Path:
    """A small file whose header states a large image."""
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")))
    return path


def test_images_above_the_limit_are_refused_by_their_header(tmp_path: Path) -> None:
    path = bomb(tmp_path / "a.png", 10_000, 10_001)
    with pytest.raises(InputError, match=r"at most 100,000,000 pixels, got 100,010,000") as caught:
        read(path)
    assert "--max-pixels 100010000" in str(caught.value)
    # At the limit the header passes, and the missing pixels are found.
    with pytest.raises(InputError, match="damaged"):
        read(path, max_pixels=100_010_000)
    with pytest.raises(InputError, match="damaged"):
        read(bomb(tmp_path / "b.png", 100, 100))
    with pytest.raises(InputError, match="at most 100,000,000"):
        read(bomb(tmp_path / "c.png", 2**31 - 1, 2**31 - 1))
    assert MAX_PIXELS == 100_000_000


@pytest.mark.parametrize("pillows_limit", [10, 20, None])
def test_pillows_own_limit_does_not_matter_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pillows_limit: int | None
) -> None:
    # 35 pixels: Pillow warns above its limit and refuses twice of it.
    path = tmp_path / "a.png"
    Image.fromarray(noise(3)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillows_limit)
    np.testing.assert_array_equal(read(path).values, noise(3))
    np.testing.assert_array_equal(read(path, max_pixels=None).values, noise(3))
    with pytest.raises(InputError, match="at most 34 pixels, got 35"):
        read(path, max_pixels=34)
    assert pillows_limit == Image.MAX_IMAGE_PIXELS


THREADS = """
import sys, threading, warnings
from PIL import Image
from partinr.signals import read

paths = sys.argv[1:]
for path in paths:
    read(path)  # imports what is imported when it is first needed
limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=lambda: [read(path) for path in paths]) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(not (limit == Image.MAX_IMAGE_PIXELS and warnings.filters == filters))
"""


def test_threads_leave_the_settings_of_the_process_alone(tmp_path: Path) -> None:
    paths = []
    for i, suffix in itertools.product(range(4), (".png", ".tif")):
        paths.append(tmp_path / f"{i}{suffix}")
        Image.fromarray(noise(3, shape=(30 + i, 40))).save(paths[-1])
    # In a process of its own: the type checker of the tests changes the same settings without our lock.
    assert subprocess.run([sys.executable, "-W", "error", "-c", THREADS, *paths], check=False).returncode == 0
