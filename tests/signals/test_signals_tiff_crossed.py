"""TIFF in all that its parts combine to: what was written is what is read, or is refused by name."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy import ndarray
from PIL import Image

import partinr
from partinr import Signal
from partinr.errors import InputError
from partinr.signals import from_array, read, write

ROWS, COLUMNS = 19, 37


class Case(NamedTuple):
    """A way to store a picture."""

    dtype: str
    photometric: str
    extra: tuple[str, ...]
    planar: str
    storage: str
    compression: str | None
    predictor: bool
    byteorder: Any
    bigtiff: bool
    pages: int

    @property
    def colours(self) -> int:
        return 3 if self.photometric == "rgb" else 1

    @property
    def alpha(self) -> int | None:
        """Which sample the colours are multiplied by."""
        return self.colours + self.extra.index("assocalpha") if "assocalpha" in self.extra else None


CHOICES: dict[str, tuple[Any, ...]] = {
    "dtype": (
        *("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
        *("float16", "float32", "float64"),
    ),
    "photometric": ("minisblack", "miniswhite", "rgb"),
    "extra": ((), ("unassalpha",), ("assocalpha",), ("unspecified",), ("unspecified", "assocalpha")),
    "planar": ("contig", "separate"),
    "storage": ("one strip", "strips", "tiles"),
    "compression": (None, "packbits", "lzw", "zlib", "zstd", "lzma"),
    "predictor": (False, True),
    "byteorder": ("<", ">"),
    "bigtiff": (False, True),
    "pages": (1, 2),
}


def excluded(case: dict[str, Any]) -> bool:
    """Whether nobody writes such files, or (of 64 bits) they hold no number that a double is exact for."""
    wide = case.get("dtype") in ("uint64", "int64")
    predictor = case.get("predictor") and (wide or case.get("compression", "lzw") in (None, "packbits"))
    return bool(predictor or (wide and "assocalpha" in case.get("extra", ())))


def sampled(count: int) -> list[Case]:
    """Possible cases by chance, the same every time."""
    rng = np.random.default_rng(0)
    drawn = ({k: v[rng.integers(len(v))] for k, v in CHOICES.items()} for _ in itertools.count())
    return [Case(**case) for case in itertools.islice((c for c in drawn if not excluded(c)), count)]


CASES = sampled(800)


def picture(case: Case) -> ndarray:
    """Straight values of shape (pages, rows, columns, samples), grey the brighter the higher."""
    rng = np.random.default_rng(0)
    dtype, shape = np.dtype(case.dtype), (case.pages, ROWS, COLUMNS, case.colours + len(case.extra))
    if dtype.kind == "f":
        values = rng.uniform(0, 1, shape).astype(dtype)
    else:
        info = np.iinfo(dtype)
        values = rng.integers(max(info.min, -(2**53)), min(info.max, 2**53), shape, dtype, endpoint=True)
    if case.alpha is not None:
        # Opaque enough for colours to come back to one unit, or of no colour at all.
        whole = 1 if dtype.kind == "f" else np.iinfo(dtype).max
        opacity = rng.uniform(0.5, 1, shape[:-1]) * whole * rng.integers(0, 2, shape[:-1])
        values[..., case.alpha] = opacity.astype(dtype)
        nothing = -1 if case.photometric == "miniswhite" and dtype.kind == "i" else 0
        nothing = whole if case.photometric == "miniswhite" and dtype.kind == "u" else nothing
        values[..., : case.colours][values[..., case.alpha] == 0] = nothing
    return values


def stored(case: Case, values: ndarray) -> ndarray:
    """The samples that stand for these values, in exact arithmetic."""
    colour = values[..., : case.colours].astype(object)
    if case.photometric == "miniswhite":
        info = np.iinfo(case.dtype)
        colour = info.min + info.max - colour
    samples = values.copy()
    if case.alpha is not None:
        alpha = values[..., case.alpha, None].astype(object)
        if values.dtype.kind == "f":
            colour = colour * alpha
        else:
            whole = int(np.iinfo(case.dtype).max)
            colour = (2 * colour * alpha + whole) // (2 * whole)
    samples[..., : case.colours] = colour.astype(case.dtype)
    return samples


def store(path: Path, case: Case, samples: ndarray) -> None:
    places = {"one strip": {}, "strips": {"rowsperstrip": 4}, "tiles": {"tile": (16, 16)}}
    options: dict[str, Any] = {"photometric": case.photometric, "predictor": case.predictor, "metadata": None}
    options |= {"compression": case.compression, "extrasamples": case.extra, **places[case.storage]}
    if samples.shape[-1] == 1:
        samples = samples[..., 0]
    else:
        options["planarconfig"] = case.planar
        samples = np.moveaxis(samples, -1, 1) if case.planar == "separate" else samples
    with tifffile.TiffWriter(path, bigtiff=case.bigtiff, byteorder=case.byteorder) as writer:
        for page in samples:
            writer.write(page, **options)


def as_pages(signal: Signal, case: Case) -> ndarray:
    assert signal.shape == ((case.pages, ROWS, COLUMNS) if case.pages > 1 else (ROWS, COLUMNS))
    return signal.values.reshape(case.pages, ROWS, COLUMNS, -1)


def test_all_pairs_of_choices_are_among_the_cases() -> None:
    seen = {pair for case in CASES for pair in itertools.combinations(case._asdict().items(), 2)}
    for (first, a), (second, b) in itertools.combinations(CHOICES.items(), 2):
        for pair in itertools.product(a, b):
            named = tuple(zip((first, second), pair, strict=True))
            assert named in seen or excluded(dict(named)), named


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    refused = 0
    for case in CASES:
        if case.photometric == "miniswhite" and case.dtype.startswith("float"):
            store(path, case, picture(case))
            with pytest.raises(InputError, match="zero is white") as caught:
                read(path)
            assert str(caught.value).startswith(f"{path}: ")
            refused += 1
            continue
        values = picture(case)
        store(path, case, stored(case, values))
        signal = read(path)
        assert signal.spec.dtype == case.dtype, case
        found = as_pages(signal, case)
        if case.alpha is None:
            np.testing.assert_array_equal(found, values, err_msg=str(case))
        elif values.dtype.kind == "f":
            np.testing.assert_allclose(found, values, rtol=4 * np.finfo(case.dtype).eps, err_msg=str(case))
        else:
            np.testing.assert_allclose(found.astype(np.float64), values, atol=1, rtol=0, err_msg=str(case))
            np.testing.assert_array_equal(found[..., case.colours :], values[..., case.colours :])
    assert 0 < refused < len(CASES) / 5


# --- bits ---------------------------------------------------------------------------------------------------


def of_bits(bits: int, shape: tuple[int, ...]) -> ndarray:
    dtype = next(d for d in (np.uint8, np.uint16, np.uint32) if np.iinfo(d).bits >= bits)
    values = np.random.default_rng(bits).integers(0, 2**bits, shape, dtype=dtype)
    values.flat[:2] = 0, 2**bits - 1
    return values


@pytest.mark.parametrize("bits", [*range(2, 32)])
def test_bits_keep_their_numbers_and_their_range(tmp_path: Path, bits: int) -> None:
    path, again = tmp_path / "a.tif", tmp_path / "b.tif"
    layouts = itertools.product(
        (1, 3, 4), ("contig", "separate"), ({}, {"rowsperstrip": 4}, {"tile": (16, 16)}), (1, 2)
    )
    for channels, planar, place, pages in list(layouts)[bits % 3 :: 3]:
        values = of_bits(bits, (pages, ROWS, COLUMNS, channels))
        samples = values[..., 0] if channels == 1 else values
        options: dict[str, Any] = {"photometric": "minisblack" if channels == 1 else "rgb", **place}
        if channels > 1:
            options |= {"planarconfig": planar, "extrasamples": ["unassalpha"] * (channels - 3)}
            samples = np.moveaxis(samples, -1, 1) if planar == "separate" else samples
        with tifffile.TiffWriter(path) as writer:
            for page in samples:
                writer.write(page, bitspersample=bits, metadata=None, **options)
        signal = read(path)
        assert (signal.spec.dtype, signal.spec.value_range) == (values.dtype, (0, 2**bits - 1))
        np.testing.assert_array_equal(signal.values.reshape(values.shape), values)
        if bits <= 24:
            np.testing.assert_array_equal(signal.spec.quantise(signal.normalised()), signal.values)
        write(again, signal.values, signal.spec)
        with tifffile.TiffFile(again) as file:
            assert file.pages[0].keyframe.bitspersample == bits
        assert read(again).spec == signal.spec
        np.testing.assert_array_equal(read(again).values, signal.values)


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14, 24])
@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd"])
def test_bits_that_are_compressed(tmp_path: Path, bits: int, compression: str) -> None:
    values = of_bits(bits, (ROWS, COLUMNS))
    digits = (values[..., None] >> np.arange(bits - 1, -1, -1, dtype=values.dtype)) & 1
    packed = np.packbits(digits.astype(np.uint8).reshape(ROWS, -1), axis=1)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, packed, photometric="minisblack", compression=compression, rowsperstrip=4, metadata=None
    )
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[256].overwrite(COLUMNS)
        file.pages[0].tags[258].overwrite(bits)
    signal = read(path)
    assert signal.spec.value_range == (0, 2**bits - 1)
    np.testing.assert_array_equal(signal.values[..., 0], values)


def test_white_and_alpha_of_12_bits(tmp_path: Path) -> None:
    values = of_bits(12, (ROWS, COLUMNS))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, 4095 - values, photometric="miniswhite", bitspersample=12)
    np.testing.assert_array_equal(read(path).values[..., 0], values)
    stored_values = np.array([[[1000, 500, 0, 2000], [4095, 0, 7, 4095], [3, 2, 1, 0]]], np.uint16)
    options: dict[str, Any] = {"photometric": "rgb", "planarconfig": "contig", "extrasamples": ["assocalpha"]}
    tifffile.imwrite(path, stored_values, bitspersample=12, **options)
    # 1000 * 4095 / 2000 = 2047.5
    expected = [[[2048, 1024, 0, 2000], [4095, 0, 7, 4095], [0, 0, 0, 0]]]
    np.testing.assert_array_equal(read(path).values, expected)


def test_a_value_range_that_is_given_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, of_bits(12, (4, 5)), photometric="minisblack", bitspersample=12)
    assert read(path, value_range=(0, 5000)).spec.value_range == (0, 5000)
    with pytest.raises(InputError, match=r"a\.tif: signal values must lie in value_range"):
        read(path, value_range=(0, 4000))


def test_12_bits_through_a_fit(tmp_path: Path) -> None:
    path, fitted, rendered = tmp_path / "a.tif", tmp_path / "a.inr", tmp_path / "b.tif"
    tifffile.imwrite(path, of_bits(12, (8, 9)), photometric="minisblack", bitspersample=12)
    result = partinr.fit(read(path), partinr.Grid(2, 2), goal=partinr.Steps(2))
    partinr.save(result.model, fitted)
    model = partinr.load(fitted)
    assert model.signal == replace(read(path).spec, between="learned")
    values = partinr.render(model)
    assert result.psnr == pytest.approx(partinr.psnr(read(path).values[..., 0], values, 4095), abs=0.01)
    write(rendered, values[..., None], model.signal)
    assert read(rendered).spec == read(path).spec
    np.testing.assert_array_equal(read(rendered).values[..., 0], values)


def test_values_of_more_bits_than_the_range_are_not_written(tmp_path: Path) -> None:
    signal = from_array(of_bits(12, (4, 5)), value_range=(0, 4095))
    with pytest.raises(InputError, match="at most 4095 like the value range, got 5000"):
        write(tmp_path / "a.tif", np.full((4, 5, 1), 5000, np.uint16), signal.spec)
    assert list(tmp_path.iterdir()) == []


# --- colour spaces ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "lzw", "zstd"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_16_bit_cmyk_keeps_its_depth(tmp_path: Path, compression: str | None, planar: Any) -> None:
    inks = np.random.default_rng(0).integers(0, 65536, (ROWS, COLUMNS, 4), dtype=np.uint16)
    path, data = tmp_path / "a.tif", inks if planar == "contig" else np.moveaxis(inks, -1, 0)
    tifffile.imwrite(path, data, photometric="separated", planarconfig=planar, compression=compression)
    light = 1 - inks / 65535
    expected = light[..., :3] * light[..., 3:] * 65535
    np.testing.assert_allclose(read(path).values, expected, atol=0.51)


@pytest.mark.parametrize(
    "entry", [lambda v: v * 256, lambda v: v * 257, lambda v: v], ids=["shifted", "full", "8"]
)
def test_palettes_of_8_bits_however_they_were_widened(tmp_path: Path, entry: Any) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (3, 256))
    indices = np.random.default_rng(1).integers(0, 256, (ROWS, COLUMNS), dtype=np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, indices, photometric="palette", colormap=entry(colours).astype(np.uint16), compression="lzw"
    )
    assert read(path).spec.dtype == "uint8"
    np.testing.assert_array_equal(read(path).values, np.moveaxis(colours[:, indices], 0, -1))


def test_palettes_of_16_bits_and_one_for_each_plane(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    palettes = rng.integers(0, 65536, (2, 3, 256)).astype(np.uint16)
    indices = rng.integers(0, 256, (2, ROWS, COLUMNS), dtype=np.uint8)
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for palette, plane in zip(palettes, indices, strict=True):
            writer.write(plane, photometric="palette", colormap=palette, metadata=None)
    signal = read(path)
    assert (signal.shape, signal.spec.dtype) == ((2, ROWS, COLUMNS), "uint16")
    for page in range(2):
        np.testing.assert_array_equal(
            signal.values[page], np.moveaxis(palettes[page][:, indices[page]], 0, -1)
        )


def test_ycbcr_without_jpeg(tmp_path: Path) -> None:
    # Grey, and the primaries by ITU-R BT.601.
    codes = np.array([[[90, 128, 128], [76, 85, 255], [150, 44, 21], [29, 255, 107]]], np.uint8)
    path = tmp_path / "a.tif"
    whole = [(530, "H", 2, (1, 1), False)]
    tifffile.imwrite(path, codes, photometric="ycbcr", compression="lzw", extratags=whole, metadata=None)
    expected = [[[90, 90, 90], [255, 0, 0], [0, 255, 0], [0, 0, 255]]]
    np.testing.assert_allclose(read(path).values.astype(int), expected, atol=2)


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr"])
def test_jpeg(tmp_path: Path, mode: str) -> None:
    ramp = np.linspace(0, 255, 3 * ROWS * COLUMNS).reshape(ROWS, COLUMNS, 3).astype(np.uint8)
    ramp[..., 1] //= 2
    image = Image.fromarray(ramp)
    stored_image = image.convert(mode)
    path = tmp_path / "a.tif"
    options: dict[str, Any] = {"photometric": {"L": "minisblack"}.get(mode, mode.lower())}
    options |= {"compression": "jpeg", "compressionargs": {"level": 99}}
    tifffile.imwrite(path, np.array(stored_image), **options)
    expected = np.array(image if mode != "L" else stored_image, int)
    np.testing.assert_allclose(read(path).values.squeeze().astype(int), expected, atol=6)


# --- refusals -----------------------------------------------------------------------------------------------

GREY: dict[str, Any] = {"photometric": "minisblack", "metadata": None}


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.zeros((5, 7), np.uint8), GREY | {"photometric": "cfa"}, "colour space CFA"),
        (np.zeros((5, 7, 3), np.uint8), GREY | {"photometric": "icclab"}, "colour space ICCLAB"),
        (np.zeros((5, 7, 3), np.uint16), GREY | {"photometric": "cielab"}, "CIELAB of 16 bits"),
        (
            np.zeros((5, 7, 4), np.uint8),
            GREY | {"photometric": "separated", "extratags": [(332, "H", 1, 2, True)]},
            "inks other than CMYK",
        ),
        (np.zeros((5, 7), np.complex64), GREY, "complex64"),
    ],
    ids=["cfa", "icclab", "lab16", "inks", "complex"],
)
def test_what_is_not_read_is_refused_by_name(
    tmp_path: Path, values: ndarray, options: dict[str, Any], message: str
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, **options)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "options", "tag", "new", "message"),
    [
        (np.zeros((5, 8), np.uint8), {}, 259, 61000, "compression 61000"),
        (np.zeros((5, 8), np.uint8), {"compression": "lzw", "predictor": True}, 317, 4, "predictor 4"),
        (np.zeros((5, 8), np.int16), {}, 258, 12, "samples that are signed integers of 12 bits"),
        (
            np.zeros((5, 8), np.uint16),
            {"compression": "lzw", "predictor": True},
            258,
            12,
            "12 bits.* predictor",
        ),
        (np.zeros((5, 8, 3), np.uint8), {"photometric": "ycbcr"}, 530, (2, 2), "reduced chroma without JPEG"),
        (
            np.zeros((5, 8, 3), np.uint8),
            {"photometric": "rgb"},
            258,
            (8, 8, 4),
            r"unsigned integers of \(8, 8, 4\) bits",
        ),
    ],
    ids=["compression", "predictor", "signed", "packed", "chroma", "mixed"],
)
def test_tags_that_are_not_read_are_refused_by_name(
    tmp_path: Path, values: ndarray, options: dict[str, Any], tag: int, new: Any, message: str
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, **(GREY | options))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[tag].overwrite(new)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_that_does_not_say_what_its_samples_mean(tmp_path: Path, channels: int) -> None:
    values = np.arange(5 * 8 * channels, dtype=np.uint8).reshape(5, 8, channels)
    path = tmp_path / "a.tif"
    photometric = "minisblack" if channels == 1 else "rgb"
    tifffile.imwrite(path, values.squeeze(), photometric=photometric, metadata=None)
    with tifffile.TiffFile(path) as file:
        entry = file.pages[0].tags[262].offset
    content = bytearray(path.read_bytes())
    # Another tag between those beside it, which nobody knows.
    content[entry : entry + 2] = (260).to_bytes(2, "little")
    path.write_bytes(content)
    np.testing.assert_array_equal(read(path).values, values)


def test_pages_that_mean_different_things(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for orientation in (1, 3):
            writer.write(np.zeros((5, 7), np.uint8), extratags=[(274, "H", 1, orientation, True)], **GREY)
    with pytest.raises(
        InputError, match=r"a\.tif: pages of a stack must have one orientation, got 1 in page 1 and 3"
    ):
        read(path)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_what_is_wrong_with_values_names_their_file(tmp_path: Path, suffix: str, bad: float) -> None:
    path = tmp_path / f"a{suffix}"
    values = np.array([[0, bad, 1]], np.float32)
    if suffix == ".npy":
        np.save(path, values)
    else:
        tifffile.imwrite(path, values, **GREY)
    with pytest.raises(InputError, match="must be finite, got 1 NaN or infinite") as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).count(str(path)) == 1


def test_lzw_that_ends_too_early(tmp_path: Path) -> None:
    """No pixel is made up."""
    values = np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS), dtype=np.uint8)
    path = tmp_path / "a.tif"
    half = imagecodecs.lzw_encode(values[:9].tobytes())
    tifffile.imwrite(path, iter([half]), shape=values.shape, dtype=values.dtype, compression="lzw", **GREY)
    with pytest.raises(InputError, match="damaged"):
        read(path)


@pytest.mark.parametrize("error", [ImportError("no codec"), NotImplementedError("no codec")], ids=str)
def test_a_decoder_that_is_missing_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def missing(*_: object) -> None:
        raise error

    path = tmp_path / "a.png"
    Image.new("L", (3, 2)).save(path)
    monkeypatch.setattr(imagecodecs, "png_decode", missing)
    with pytest.raises(InputError, match=r"no codec\); save it in another compression"):
        read(path)
