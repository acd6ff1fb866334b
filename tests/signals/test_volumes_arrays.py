"""Arrays with names: HDF5, NetCDF, Zarr and ENVI, and what .npz and TIFF keep of a spec."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import xarray
import zarr
from numpy import ndarray

import partinr
from partinr.errors import InputError
from partinr.signals import Axis, Signal, SignalSpec, from_array, read, write
from partinr.signals.writing import written_size

SHAPE = (5, 6, 7)


def counts(shape: tuple[int, ...] = SHAPE, dtype: str = "int16") -> ndarray:
    return np.random.default_rng(0).integers(-1000, 3000, shape).astype(dtype)


def temperature() -> xarray.Dataset:
    """A packed variable over time, latitude and longitude, of which the times are uneven."""
    attributes = {"units": "K", "long_name": "Temperature", "scale_factor": 0.01, "add_offset": 273.15}
    return xarray.Dataset(
        {
            "t2m": (
                ("time", "latitude", "longitude"),
                counts(),
                {**attributes, "_FillValue": np.int16(-32767)},
            )
        },
        coords={
            "time": ("time", [0.0, 1.0, 2.0, 5.0, 9.0], {"units": "days since 2000-01-01"}),
            "latitude": ("latitude", np.linspace(50, 40, 6).astype("f4"), {"units": "degrees_north"}),
            "longitude": ("longitude", np.arange(7) * 0.25 - 3),
        },
    )


def bands(names: tuple[str, ...] = ("wavelength", "y", "x")) -> xarray.DataArray:
    """A spectrum at every place, its axis first; wavelengths are uneven."""
    nanometres = ("wavelength", np.round(np.linspace(400, 900, 8) ** 1.01, 3), {"units": "nm"})
    cube = np.random.default_rng(0).random((8, 5, 6)).astype(np.float32)
    return xarray.DataArray(cube, dims=names, coords={"wavelength": nanometres}, name="reflectance")


def to_zarr(data: Any, path: Path) -> None:
    data.to_zarr(path, consolidated=False)


def to_zipped_zarr(data: Any, path: Path) -> None:
    folder = path.with_name("zipped.zarr")
    to_zarr(data, folder)
    shutil.make_archive(str(path.with_suffix("")), "zip", folder)


STORED: list[tuple[str, Callable[[Any, Path], None]]] = [
    ("a4.nc", lambda data, path: data.to_netcdf(path, engine="h5netcdf")),
    ("a3.nc", lambda data, path: data.to_netcdf(path, engine="scipy")),
    ("a.zarr", to_zarr),
    ("a.zip", to_zipped_zarr),
]


# --- names and coordinates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "store"), STORED, ids=[name for name, _ in STORED])
def test_a_variable_with_coordinates(tmp_path: Path, name: str, store: Callable[[Any, Path], None]) -> None:
    store(temperature(), tmp_path / name)
    signal = read(tmp_path / name)
    np.testing.assert_array_equal(signal.values[..., 0], counts())
    assert (signal.spec.kind, signal.spec.value_range) == ("volume", (counts().min(), counts().max()))
    assert signal.spec.axes == (
        Axis("time"),
        Axis("latitude", "degrees_north", -2, 50),
        Axis("longitude", "", 0.25, -3),
    )
    source = signal.spec.source
    assert source["coordinates"]["time"] == {"values": [0, 1, 2, 5, 9], "unit": "days since 2000-01-01"}
    assert (source["slope"], source["intercept"], source["value_unit"]) == (0.01, 273.15, "K")
    assert (source["fill"], source["name"], source["attributes"]) == (
        -32767,
        "t2m",
        {"long_name": "Temperature"},
    )


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize(
    "data", [temperature(), bands(), bands().to_dataset()], ids=["packed", "cube", "set"]
)
def test_xarray_finds_in_what_is_written_what_it_wrote(tmp_path: Path, suffix: str, data: Any) -> None:
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    signal = read(tmp_path / "a.nc")
    write(tmp_path / f"b{suffix}", signal.values, signal.spec)
    again = read(tmp_path / f"b{suffix}")
    assert again.spec == SignalSpec(
        **{**vars(signal.spec), "source": {**signal.spec.source, "format": again.spec.source["format"]}}
    )
    np.testing.assert_array_equal(again.values, signal.values)
    engine = {"engine": "h5netcdf"} if suffix == ".nc" else {"engine": "zarr", "consolidated": False}
    opened = [xarray.open_dataset(tmp_path / "a.nc", engine="h5netcdf", decode_times=False)]
    opened.append(xarray.open_dataset(tmp_path / f"b{suffix}", decode_times=False, **engine))  # type: ignore[arg-type]
    before, after = (one.load() for one in opened)
    for one in opened:
        one.close()
    (variable,) = before.data_vars
    xarray.testing.assert_allclose(after[variable], before[variable])
    assert after[variable].attrs == before[variable].attrs
    assert after[variable].dims == before[variable].dims


@pytest.mark.parametrize(("name", "store"), STORED, ids=[name for name, _ in STORED])
def test_a_spectrum_is_channels_wherever_its_axis_stands(
    tmp_path: Path, name: str, store: Callable[[Any, Path], None]
) -> None:
    store(bands().to_dataset(), tmp_path / name)
    signal = read(tmp_path / name)
    assert (signal.shape, signal.channels, signal.spec.kind) == ((5, 6), 8, "array")
    np.testing.assert_array_equal(np.moveaxis(signal.values, -1, 0), bands().values)
    assert signal.spec.source["channels"] == {
        "name": "wavelength",
        "values": bands().wavelength.values.tolist(),
        "unit": "nm",
    }


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_renderings_of_another_size_have_coordinates_of_their_own(tmp_path: Path, suffix: str) -> None:
    temperature().to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    spec = read(tmp_path / "a.nc").spec.resampled((10, 12, 14))
    write(tmp_path / f"b{suffix}", np.zeros((10, 12, 14, 1), np.int16), spec)
    again = read(tmp_path / f"b{suffix}").spec
    assert again.axes is not None
    # Samples are areas: twice as many begin a quarter of a sample before the first.
    assert again.axes[1] == Axis("latitude", "degrees_north", -1, 50.5)
    assert (again.axes[2].spacing, again.axes[2].origin) == (0.125, pytest.approx(-3.0625))
    times = again.source["coordinates"]["time"]["values"]
    np.testing.assert_allclose(times, np.interp((np.arange(10) - 0.5) / 2, np.arange(5), [0, 1, 2, 5, 9]))


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_names_of_channels_come_back(tmp_path: Path, suffix: str) -> None:
    source = {"channels": {"name": "band", "values": ["red", "near infrared"]}}
    spec = SignalSpec(
        "array", (5, 6), 2, "uint8", (0, 255), True, (Axis("y", "m", 2), Axis("x", "m", 2)), source
    )
    values = counts((5, 6, 2), "uint8")
    write(tmp_path / f"a{suffix}", values, spec)
    again = read(tmp_path / f"a{suffix}")
    assert again.spec.source["channels"] == source["channels"]
    assert again.spec.axes == spec.axes
    np.testing.assert_array_equal(again.values, values)


def test_one_volume_of_four_axes(tmp_path: Path) -> None:
    values = counts((3, *SHAPE))
    data = xarray.DataArray(values, dims=("t", "z", "y", "x"), coords={"t": [0.0, 2.5, 7.0]}, name="v")
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="holds 3 volumes"):
        read(tmp_path / "a.nc")
    signal = read(tmp_path / "a.nc", volume=2)
    np.testing.assert_array_equal(signal.values[..., 0], values[2])
    assert signal.spec.source["at"] == {"t": 7.0}


def test_microscopes_say_how_large_their_voxels_are(tmp_path: Path) -> None:
    axes = [{"name": "c", "type": "channel"}] + [
        {"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"
    ]
    change = [
        {"type": "scale", "scale": [1, 2.0, 0.5, 0.25]},
        {"type": "translation", "translation": [0, 10, 0, 0]},
    ]
    group = zarr.create_group(
        tmp_path / "a.zarr",
        attributes={
            "ome": {
                "multiscales": [
                    {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": change}]}
                ]
            }
        },
    )
    group.create_array("0", data=counts((2, *SHAPE)))
    signal = read(tmp_path / "a.zarr:/0")
    assert (signal.shape, signal.channels) == (SHAPE, 2)
    assert signal.spec.axes == tuple(
        Axis(name, "micrometer", step, first)
        for name, step, first in (("z", 2, 10), ("y", 0.5, 0), ("x", 0.25, 0))
    )


# --- which array --------------------------------------------------------------------------------------------


def two_arrays(folder: Path) -> list[Path]:
    """An HDF5 file and a Zarr group of two arrays and a text."""
    with h5py.File(folder / "a.h5", "w") as file:
        file["deep/scan"], file["mask"], file["title"] = counts(), np.ones((5, 6)), "a text"
    group = zarr.create_group(folder / "a.zarr")
    group.create_array("deep/scan", data=counts())
    group.create_array("mask", data=np.ones((5, 6)))
    return [folder / "a.h5", folder / "a.zarr"]


def test_an_array_is_named_behind_a_colon(tmp_path: Path) -> None:
    for path in two_arrays(tmp_path):
        for word in (f"{path}:/deep/scan", f"{path}:deep/scan", f"{path}:/deep/scan/"):
            np.testing.assert_array_equal(read(word).values[..., 0], counts())
        with pytest.raises(
            InputError, match=r"got 2: /deep/scan \(5 x 6 x 7\), /mask \(5 x 6\); name one, as in"
        ):
            read(path)
        with pytest.raises(InputError, match=r"has no array /scan of numbers; it has /deep/scan"):
            read(f"{path}:/scan")


def test_the_only_array_needs_no_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["deep/scan"], file["title"], file["number"] = counts(), "a text", 3.0
    np.testing.assert_array_equal(read(tmp_path / "a.h5").values[..., 0], counts())
    zarr.create_array(tmp_path / "a.zarr", data=counts())
    np.testing.assert_array_equal(read(tmp_path / "a.zarr").values[..., 0], counts())
    with pytest.raises(InputError, match="is one array itself"):
        read(f"{tmp_path / 'a.zarr'}:/scan")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["title"] = "a text"
    with pytest.raises(InputError, match="expected an HDF5 file with an array of numbers, got none"):
        read(tmp_path / "b.h5")


def test_arrays_without_names_are_as_numpys(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = counts((5, 6, 3))
    assert (read(tmp_path / "a.h5").shape, read(tmp_path / "a.h5").channels) == ((5, 6), 3)
    assert read(tmp_path / "a.h5", channels_last=False).shape == (5, 6, 3)


def test_a_name_with_a_colon_is_a_name(tmp_path: Path) -> None:
    np.save(tmp_path / "a:b.npy", counts())
    assert read(tmp_path / "a:b.npy").shape == SHAPE


def test_matlabs_files_are_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["scan"] = counts()
    content = bytearray((tmp_path / "a.mat").read_bytes())
    content[:19] = b"MATLAB 7.3 MAT-file"
    (tmp_path / "a.mat").write_bytes(content)
    np.testing.assert_array_equal(read(tmp_path / "a.mat").values[..., 0], counts())


# --- ENVI ---------------------------------------------------------------------------------------------------


def envi(path: Path, interleave: str, order: int = 0, more: str = "", dtype: str = "<i2") -> ndarray:
    """A cube of 5 lines, 6 samples and 8 bands, as the format's manual has it."""
    cube = counts((5, 6, 8))
    axes = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[interleave]
    nanometres = ",\n ".join(f"{400 + 10.5 * i:.2f}" for i in range(8))
    path.write_text(
        f"ENVI\ndescription = {{a cube,\n of a test}}\nsamples = 6\nlines   = 5\nbands = 8\n"
        "header offset = 3\n"
        f"data type = 2\ninterleave = {interleave}\nbyte order = {order}\nwavelength units = Nanometers\n"
        f"wavelength = {{{nanometres}}}\ndata ignore value = -9999\nsensor type = Unknown\n"
        f"map info = {{UTM, 1, 1, 500000, 4000000, 30, 20, 11, North, WGS-84, units=Meters}}\n{more}"
    )
    path.with_suffix(".dat").write_bytes(b"xyz" + cube.transpose(axes).astype(dtype).tobytes())
    return cube


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("order", [0, 1])
def test_cubes_of_envi(tmp_path: Path, interleave: str, order: int) -> None:
    cube = envi(tmp_path / "a.hdr", interleave, order, dtype="<>"[order] + "i2")
    signal = read(tmp_path / "a.hdr")
    np.testing.assert_array_equal(signal.values, cube)
    assert signal.spec.source["channels"]["values"] == [400 + 10.5 * i for i in range(8)]
    assert signal.spec.axes == (Axis("y", "Meters", -20, 3999990), Axis("x", "Meters", 30, 500015))
    assert signal.spec.source["fill"] == -9999
    write(tmp_path / "b.hdr", signal.values, signal.spec)
    again = read(tmp_path / "b.hdr")
    assert again.spec == signal.spec
    np.testing.assert_array_equal(again.values, cube)
    assert "a cube, of a test" in " ".join((tmp_path / "b.hdr").read_text().split())
    assert written_size(tmp_path / "b.hdr") == cube.nbytes + len((tmp_path / "b.hdr").read_bytes())
    half = signal.spec.resampled((10, 3))
    write(tmp_path / "c.hdr", np.zeros((10, 3, 8), np.int16), half)
    assert read(tmp_path / "c.hdr").spec.axes == half.axes


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("bands = 9\n", "9 bands need as many wavelengths, got 8|truncated"),
        ("lines = 500\n", "truncated"),
        ("data type = 6\n", "data type 6"),
        ("samples = 1000000\nlines = 1000000\n", "at most 100,000,000 values"),
        ("file compression = 1\n", "compressed"),
    ],
)
def test_headers_of_envi_that_cannot_be_read(tmp_path: Path, more: str, message: str) -> None:
    envi(tmp_path / "a.hdr", "bip", more=more)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.hdr")
    (tmp_path / "a.dat").unlink()
    with pytest.raises(InputError, match=f"no data beside|{message}"):
        read(tmp_path / "a.hdr")
    (tmp_path / "a.hdr").write_text("ENVI\nsamples = 3\n")
    with pytest.raises(InputError, match="needs lines, bands, data type"):
        read(tmp_path / "a.hdr")


# --- TIFF and .npz ------------------------------------------------------------------------------------------


def spec_of(shape: tuple[int, ...], channels: int, dtype: str) -> SignalSpec:
    axes = (Axis("z", "mm", 2, -5), Axis("y", "mm", 0.75, 1), Axis("x", "mm", 0.5))[-len(shape) :]
    source = {"slope": 0.5, "intercept": -3.0, "channels": {"name": "band", "values": list(range(channels))}}
    kind: Any = "volume" if len(shape) == 3 else "array"
    return SignalSpec(kind, shape, channels, dtype, (-1000, 3000), True, axes, source)


@pytest.mark.parametrize("suffix", [".npz", ".tif"])
@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 6, 7), (6, 7)])
@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_axes_and_source_come_back(
    tmp_path: Path, suffix: str, shape: tuple[int, ...], channels: int, dtype: str
) -> None:
    values, spec = counts((*shape, channels), dtype), spec_of(shape, channels, dtype)
    write(tmp_path / f"a{suffix}", values, spec)
    again = read(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(again.values, values)
    assert (again.shape, again.spec.kind, again.spec.axes, again.spec.source) == (
        shape,
        spec.kind,
        spec.axes,
        spec.source,
    )
    if dtype == "int16":
        assert again.spec.value_range == spec.value_range


def test_numpy_reads_an_archive_that_says_more(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", counts((5, 6, 7, 1)), spec_of(SHAPE, 1, "int16"))
    with np.load(tmp_path / "a.npz") as archive:
        np.testing.assert_array_equal(archive["values"][..., 0], counts())


@pytest.mark.parametrize(
    "said", [b"[]", b"{", b"{}", b'{"kind": "x", "axes": null, "source": {}}', b"[" * 5000, b" " * 2**19]
)
def test_archives_that_say_nonsense(tmp_path: Path, said: bytes) -> None:
    np.savez(tmp_path / "a.npz", values=counts())
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("signal.json", said)
    with pytest.raises(InputError, match="what is said of a signal"):
        read(tmp_path / "a.npz")


def test_tiffs_of_other_programs_say_where_they_lie(tmp_path: Path) -> None:
    values = counts((4, 5, 6), "uint16")
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, values, imagej=True, resolution=(4, 2), metadata={"axes": "ZYX", "spacing": 3.5, "unit": "um"}
    )
    assert read(path).spec.axes == (Axis("z", "um", 3.5), Axis("y", "um", 0.5), Axis("x", "um", 0.25))
    sizes = {"PhysicalSizeZ": 2.5, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.25}
    tifffile.imwrite(path, values, ome=True, metadata={"axes": "ZYX", **sizes})
    assert read(path).spec.axes == (Axis("z", "um", 2.5), Axis("y", "um", 0.5), Axis("x", "um", 0.25))
    tags = [
        (33550, 12, 3, (30.0, 20.0, 0.0), True),
        (33922, 12, 6, (0.0, 0.0, 0.0, 500000.0, 4000000.0, 0.0), True),
        (42113, 2, 0, "-9999", True),
    ]
    tifffile.imwrite(path, values[0], extratags=tags, metadata=None)
    spec = read(path).spec
    assert spec.axes == (Axis("y", "", -20, 3999990), Axis("x", "", 30, 500015))
    assert spec.source == {"fill": -9999}
    tifffile.imwrite(path, values[0], resolution=(100, 50), resolutionunit="CENTIMETER", metadata=None)
    assert read(path).spec.axes == (Axis("y", "mm", 0.2), Axis("x", "mm", 0.1))
    # How large a picture is to be printed.
    tifffile.imwrite(path, values[0], resolution=(72, 72), resolutionunit="INCH", metadata=None)
    assert read(path).spec.axes is None


def test_a_written_tiff_tells_other_programs_its_spacing(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", counts((5, 6, 7, 1)), spec_of(SHAPE, 1, "int16"))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tags = file.pages.first.tags  # type: ignore[union-attr]
        # Pixels a centimetre.
        assert tags["XResolution"].value[0] / tags["XResolution"].value[1] == pytest.approx(20)
        assert tags["YResolution"].value[0] / tags["YResolution"].value[1] == pytest.approx(10 / 0.75)
        assert len(file.pages) == 5


# --- limits, damage and folders -----------------------------------------------------------------------------


def test_arrays_above_the_limit_are_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("bomb", (2, 100_000, 125_000), "f4", chunks=(1, 1000, 1000))
    zarr.create_array(tmp_path / "a.zarr", shape=(2, 100_000, 125_000), chunks=(1, 1000, 1000), dtype="f4")
    for path in (tmp_path / "a.h5", tmp_path / "a.zarr"):
        with pytest.raises(
            InputError, match=r"got 25,000,000,000 \(2 x 100000 x 125000, 100,000,000,000 bytes\)"
        ):
            read(path)
        with pytest.raises(InputError, match="pass --max-pixels 25000000000"):
            read(path, max_pixels=10**10)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("wide", (10, 10, 3), "f4")
    # Channels count.
    with pytest.raises(InputError, match="at most 299"):
        read(tmp_path / "b.h5", max_pixels=299)
    assert read(tmp_path / "b.h5", max_pixels=300).channels == 3


def test_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    for name, store in STORED:
        path = tmp_path / name
        store(temperature(), path)
        if path.is_dir():
            (chunk,) = (p for p in (path / "t2m" / "c").rglob("*") if p.is_file())
            chunk.write_bytes(chunk.read_bytes()[:-9])
        else:
            path.write_bytes(path.read_bytes()[:-300])
        with pytest.raises(InputError) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    (tmp_path / "b.nc").write_bytes(b"CDF\x05" + bytes(100))
    with pytest.raises(InputError, match="CDF-5 is not read"):
        read(tmp_path / "b.nc")


def test_a_folder_of_zarr_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path, signal = tmp_path / "a.zarr", from_array(counts())
    write(path, signal.values, signal.spec)
    size = written_size(path)

    def broken() -> Any:
        yield signal.values[:2]
        raise KeyboardInterrupt

    from partinr.signals import write_slabs

    with pytest.raises(KeyboardInterrupt):
        write_slabs(path, broken(), SHAPE, signal.spec)
    assert (list(tmp_path.iterdir()), written_size(path)) == ([path], size)
    write(path, signal.values + 1, signal.spec)
    np.testing.assert_array_equal(read(path).values, signal.values + 1)
    assert list(tmp_path.iterdir()) == [path]


def test_folders_and_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    signal: Signal = from_array(counts())
    folder = tmp_path / "a.zarr"
    folder.mkdir()
    write(folder, signal.values, signal.spec)
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="other things in it, which would be lost"):
        write(folder, signal.values, signal.spec)
    assert (folder / "thesis.txt").read_text() == "years of work"
    (tmp_path / "b.zarr").write_text("a file")
    with pytest.raises(InputError, match="a file is in its place"):
        write(tmp_path / "b.zarr", signal.values, signal.spec)


@pytest.mark.parametrize(
    "source",
    [
        {"coordinates": {"z": {"values": [1, None, 3]}}},
        {"channels": {"name": "band", "values": [[1]]}},
        {"slope": "steep"},
    ],
)
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_sources_that_cannot_be_written(tmp_path: Path, suffix: str, source: dict[str, Any]) -> None:
    axes = (Axis("z"), Axis("y"))
    spec = SignalSpec("array", (5, 6), 1, "int16", (-1000, 3000), True, axes, json.loads(json.dumps(source)))
    with pytest.raises(InputError, match=r"coordinates in a source|slope and intercept"):
        write(tmp_path / f"a{suffix}", counts((5, 6, 1)), spec)
    assert list(tmp_path.iterdir()) == []


# --- missing values -----------------------------------------------------------------------------------------


def test_values_that_stand_for_missing_ones_are_missing(tmp_path: Path) -> None:
    values = counts((5, 6))
    values[2, 3] = -9999
    there = values != -9999
    data = xarray.DataArray(values, dims=("y", "x"), name="v", attrs={"_FillValue": np.int16(-9999)})
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=[(42113, 2, 0, "-9999", True)], metadata=None)
    to_zarr(data.to_dataset(), tmp_path / "a.zarr")
    data.attrs["_FillValue"] = np.float32(-9999)
    to_zarr(data.astype("f4").to_dataset(), tmp_path / "b.zarr")
    data.astype("f4").to_dataset().to_zarr(tmp_path / "c.zarr", zarr_format=2, consolidated=False)
    for name in ("a.nc", "a.tif", "a.zarr", "b.zarr", "c.zarr"):
        signal = read(tmp_path / name)
        np.testing.assert_array_equal(signal.mask, there)
        np.testing.assert_array_equal(signal.values[..., 0][there], values[there])
        # The range is that of what is there.
        if name != "a.tif":
            assert signal.spec.value_range == (values[there].min(), values[there].max())
        assert signal.spec.source["fill"] == -9999
    all_gone = data.copy(data=np.full((5, 6), np.float32(-9999)))
    to_zarr(all_gone.to_dataset(), tmp_path / "d.zarr")
    with pytest.raises(InputError, match="all 30 samples are missing"):
        read(tmp_path / "d.zarr")


def test_nan_of_an_array_with_names_is_missing(tmp_path: Path) -> None:
    cube = bands()
    cube[3, 2, 4] = np.nan
    cube.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    signal = read(tmp_path / "a.nc")
    assert signal.mask is not None
    assert np.argwhere(~signal.mask).tolist() == [[2, 4]]
    assert signal.spec.axes is not None


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".hdr", ".tif"])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_the_value_for_missing_ones_is_written_back(tmp_path: Path, suffix: str, dtype: str) -> None:
    axes = (Axis("y", "m", 2), Axis("x", "m", 2))
    spec = SignalSpec("array", (5, 6), 2, dtype, (-1000, 3000), True, axes, {"fill": -9999})
    write(tmp_path / f"a{suffix}", counts((5, 6, 2), dtype), spec)
    assert read(tmp_path / f"a{suffix}").spec.source["fill"] == -9999
    if suffix in (".nc", ".zarr"):
        engine = {"engine": "h5netcdf"} if suffix == ".nc" else {"engine": "zarr", "consolidated": False}
        with xarray.open_dataset(tmp_path / f"a{suffix}", **engine) as opened:  # type: ignore[arg-type]
            assert opened["values"].encoding["_FillValue"] == -9999


def weather():
    lat, lon = np.linspace(60, 40, 11), np.array([0.0, 1, 2, 4, 8, 16, 32])
    values = np.random.default_rng(0).normal(280, 5, (3, 11, 7)).astype(np.float32)
    return xarray.DataArray(
        values,
        dims=("band", "lat", "lon"),
        coords={"band": ["a", "b", "c"], "lat": ("lat", lat, {"units": "degrees_north"}), "lon": lon},
        attrs={"units": "K", "long_name": "temperature"},
        name="t2m",
    )


def test_arrays_of_xarray_come_back_as_they_were():
    array = weather()
    signal = partinr.from_xarray(array)
    assert (signal.shape, signal.channels) == ((11, 7), 3)
    np.testing.assert_array_equal(signal.values[2, 4], array.sel(lat=array.lat[2], lon=8.0).values)
    back = partinr.to_xarray(signal.values, signal.spec)
    assert back.identical(array)


def test_renderings_of_arrays_of_xarray_have_their_coordinates():
    array = weather().transpose("lat", "lon", "band")
    model = partinr.fit(array, goal=partinr.Compact(psnr=40)).model
    twice = partinr.to_xarray(partinr.render(model, scale=2), model.signal.resampled((22, 14)))
    assert twice.dims == array.dims
    assert twice.attrs == array.attrs
    np.testing.assert_allclose(twice.lat.values, 60.5 - np.arange(22))
    with pytest.raises(InputError, match="axes"):
        partinr.to_xarray(np.zeros(5), model.signal)


def test_arrays_of_xarray_may_lack_samples():
    array = weather().where(weather().lon < 10)
    signal = partinr.from_xarray(array, mask=np.arange(11)[:, None] * np.ones(7) > 0)
    assert signal.missing == 11 * 2 + 5
