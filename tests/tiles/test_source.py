"""Sources that are read in parts: every window is what reading the whole has there."""

from __future__ import annotations

import struct
import zlib
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

import partinr
from partinr.signals.signal import Signal
from partinr.tiles import picture
from partinr.tiles.opening import opened_source
from partinr.tiles.picture import PictureSource
from partinr.tiles.source import SignalSource, SourceChanged, window_of

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 255, (90, 110, 3), dtype=np.uint8)
GREY = RANDOM.integers(0, 4000, (5, 60, 70), dtype=np.uint16)


def check(source: Any, whole: Signal, kind: type = object) -> None:
    """Windows at random places, and the first sample."""
    assert isinstance(source, kind)
    with closing(source):
        _check(source, whole)


def _check(source: Any, whole: Signal) -> None:
    assert source.spec.shape == whole.shape
    assert source.spec.channels == whole.channels
    assert source.spec.dtype == whole.spec.dtype
    assert source.spec.kind == whole.spec.kind
    assert source.spec.axes == whole.spec.axes
    assert dict(source.spec.source) == dict(whole.spec.source)
    span = source.spec.value_range
    if not source.ranged:
        span = source.span_of([source.extremes(window_of([0] * len(whole.shape), whole.shape))])
    assert span == whole.spec.value_range
    places = np.random.default_rng(1)
    for trial in range(6):
        first = [int(places.integers(0, n)) if trial else 0 for n in whole.shape]
        shape = [int(places.integers(1, n - a + 1)) for n, a in zip(whole.shape, first, strict=True)]
        window = window_of(first, shape)
        part = source.signal(window, span)
        there = None if whole.mask is None else whole.mask[window]
        if there is not None and not there.any():
            assert part is None
            continue
        expected = whole.values[window]
        if there is None or there.all():
            assert part.mask is None
            np.testing.assert_array_equal(part.values, expected)
        else:
            np.testing.assert_array_equal(part.mask, there)
            np.testing.assert_array_equal(part.values[there], expected[there])
        if whole.spec.axes is not None:
            for axis, own, at in zip(whole.spec.axes, part.spec.axes, first, strict=True):
                assert own.place(0) == pytest.approx(axis.place(at))


TIFFS: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    "strips": (RGB, {"rowsperstrip": 7, "compression": "zlib", "predictor": True}),
    "in one block": (RGB, {"photometric": "rgb"}),
    "tiles": (RGB, {"tile": (32, 48), "bigtiff": True}),
    "jpeg": (RGB, {"tile": (32, 32), "compression": "jpeg", "photometric": "rgb"}),
    "planes apart": (
        RGB.transpose(2, 0, 1).copy(),
        {"planarconfig": "separate", "photometric": "rgb", "tile": (32, 32)},
    ),
    "stack": (GREY, {"photometric": "minisblack", "tile": (32, 32), "compression": "zlib"}),
    "stack in one block": (GREY, {"photometric": "minisblack", "metadata": {"axes": "ZYX"}, "imagej": True}),
    "white is zero": (RGB[..., 0].copy(), {"photometric": "miniswhite"}),
    "floats, other order": (RANDOM.normal(size=(50, 60)).astype("f4"), {"byteorder": ">"}),
    "two tones": (RGB[..., 0] > 100, {}),
}


@pytest.mark.parametrize("case", TIFFS)
def test_tiff(case: str, tmp_path: Path) -> None:
    values, options = TIFFS[case]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, **options)
    check(opened_source(path), partinr.read(path))


@pytest.mark.parametrize("names", ["CYX", "ZCYX", "CZYX"])
def test_ome_tiff(names: str, tmp_path: Path) -> None:
    sizes = {"C": 2, "Z": 3, "Y": 40, "X": 50}
    values = RANDOM.integers(0, 9999, [sizes[name] for name in names], dtype=np.uint16)
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, values, ome=True, photometric="minisblack", metadata={"axes": names, "PhysicalSizeX": 0.5}
    )
    check(opened_source(path), partinr.read(path))


def test_missing_samples(tmp_path: Path) -> None:
    values = RANDOM.normal(size=(60, 70)).astype(np.float32)
    values[:40, :50] = np.nan
    values[50, 3] = np.nan
    np.save(tmp_path / "a.npy", values)
    whole = partinr.read(tmp_path / "a.npy")
    check(opened_source(tmp_path / "a.npy"), whole)
    check(opened_source(whole), whole)


def test_arrays(tmp_path: Path) -> None:
    import dask.array
    import h5py
    import xarray
    import zarr

    whole = partinr.from_array(GREY)
    np.save(tmp_path / "a.npy", GREY)
    lazy = dask.array.from_array(GREY, chunks=(2, 32, 32))
    for given in (GREY, lazy, tmp_path / "a.npy"):
        check(opened_source(given), whole)
    source = opened_source(lazy)
    window = window_of((1, 20, 30), (2, 30, 30))
    parcel = source.parcel(window)
    assert hasattr(parcel, "compute")
    np.testing.assert_array_equal(source.values(window, parcel)[..., 0], GREY[1:3, 20:50, 30:60])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["inner/volume"] = GREY
        file["other"] = GREY
    named = f"{tmp_path / 'a.h5'}:/inner/volume"
    check(opened_source(named), partinr.read(named))
    with pytest.raises(partinr.InputError, match="name one"):
        opened_source(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        check(opened_source(file["other"]), whole)
    coordinates = {"z": np.arange(5) * 2.5, "y": np.arange(60) - 7.0}
    variable = xarray.DataArray(
        GREY, coordinates, ("z", "y", "x"), "v", {"units": "K", "_FillValue": GREY[0, 0, 0]}
    )
    file = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    file.create_array("v", data=GREY, chunks=(2, 32, 32), dimension_names=["z", "y", "x"])
    for name, places in coordinates.items():
        file.create_array(name, data=places, dimension_names=[name])
    check(opened_source(tmp_path / "a.zarr"), partinr.read(tmp_path / "a.zarr"))
    source = opened_source(variable)
    assert source.spec.axes[0].spacing == 2.5
    assert source.signal(window_of((0, 0, 0), (2, 2, 2)), (0.0, 1.0 + GREY.max())).missing == 1
    address = f"file://{tmp_path / 'a.zarr'}"
    check(opened_source(address), partinr.read(tmp_path / "a.zarr"))
    group = zarr.open_group(tmp_path / "pyramid.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=GREY, chunks=(2, 32, 32))
    group.create_array("1", data=GREY[:, ::2, ::2])
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [3.0, 0.5, 0.5]}]
    sets = [{"path": "0", "coordinateTransformations": scale}, {"path": "1"}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": sets}]
    check(opened_source(tmp_path / "pyramid.zarr"), partinr.read(tmp_path / "pyramid.zarr"))


def test_other_files_are_read_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    partinr.write(
        path, partinr.from_array(RGB, kind="image").values, partinr.from_array(RGB, kind="image").spec
    )
    check(opened_source(path), partinr.read(path))


def test_files_that_change_or_go(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RGB, photometric="rgb")
    source = opened_source(path)
    source.close()
    before = source.identity()
    tifffile.imwrite(path, RGB[:80], photometric="rgb")
    assert source.identity() != before
    path.unlink()
    with pytest.raises(SourceChanged, match="no longer there"):
        source.identity()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("none.tif", "o such file"),
        (np.zeros((2, 2), complex), "integers, booleans"),
        (np.zeros((2, 0)), "at least one sample"),
        (np.zeros((2, 2, 2, 2, 2)), "1 to 3 axes"),
        ("memory://nowhere/a.tif", "cannot read"),
    ],
)
def test_what_is_no_source(given: Any, words: str) -> None:
    with pytest.raises(partinr.InputError, match=words):
        opened_source(given)


@pytest.mark.parametrize("shape", [(70, 50), (70, 50, 2), (70, 50, 3), (70, 50, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_large_pictures_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], dtype: Any
) -> None:
    monkeypatch.setattr(picture, "_LARGE", 0)
    monkeypatch.setattr(picture, "_ROWS", 16)
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    data = imagecodecs.png_encode(values)
    upright = Image.Exif()
    upright[274] = 1
    chunk = b"eXIf" + upright.tobytes()[6:]
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    check(
        opened_source(tmp_path / "a.png", scratch=tmp_path), partinr.read(tmp_path / "a.png"), PictureSource
    )
    if dtype == np.uint8 and shape[2:] in ((), (3,)):
        Image.fromarray(values).save(tmp_path / "a.jpg", quality=80)
        check(opened_source(tmp_path / "a.jpg"), partinr.read(tmp_path / "a.jpg"), PictureSource)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".png", ".jpg"}


def test_pictures_that_are_not_taken_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "_LARGE", 0)
    image = Image.fromarray(RGB)
    turned = Image.Exif()
    turned[274] = 6
    for n, save in enumerate(
        (
            lambda path: image.quantize(20).save(path, "PNG"),
            lambda path: image.save(path, "PNG", exif=turned),
            lambda path: image.save(path, "PNG", transparency=(1, 2, 3)),
            lambda path: image.save(path, "PNG", save_all=True, append_images=[image.rotate(90)]),
            lambda path: image.save(path, "JPEG", exif=turned),
            lambda path: image.save(path, "JPEG", progressive=True),
            lambda path: image.convert("CMYK").save(path, "JPEG"),
        )
    ):
        save(tmp_path / f"{n}")
        check(opened_source(tmp_path / f"{n}"), partinr.read(tmp_path / f"{n}"), SignalSource)
    data = tmp_path / "a.png"
    image.save(data)
    data.write_bytes(data.read_bytes()[:-2000])
    with (
        closing(opened_source(data)) as source,
        pytest.raises(partinr.InputError, match="decoded as an image"),
    ):
        source.values((slice(0, 8), slice(0, 8)))
    monkeypatch.setattr("partinr.tiles.picture.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(partinr.InputError, match="1,000 are free; choose another disk"):
        source.values((slice(0, 8), slice(0, 8)))
    monkeypatch.setattr(picture, "MAX_PIXELS", 100)
    monkeypatch.setattr(picture, "find_spec", lambda _: None)
    monkeypatch.setattr("partinr.errors.find_spec", lambda _: None)
    with pytest.raises(partinr.InputError, match=r"partinr\[vips\]"):
        opened_source(data)
