"""Scans and arrays with names on the command line, from their files to files again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pytest
import xarray
from numpy import ndarray

import partinr
from cli_helpers import assert_refused, fit, run, state_of
from partinr.cli.files import inr_beside


def scan(shape: tuple[int, ...] = (12, 10, 8)) -> ndarray:
    """A smooth scan with its axes (i, j, k, ...)."""
    grid = np.meshgrid(*[np.linspace(0, 3, n) for n in shape], indexing="ij")
    return np.rint(1000 * np.sin(sum(grid)) - 200).astype(np.int16)


@pytest.fixture
def brain(tmp_path: Path) -> Path:
    affine = np.array([[0.5, 0, 0, 3], [0, 0.75, 0, -4], [0, 0, 2, 5], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(scan(), affine), tmp_path / "brain.nii.gz")
    return tmp_path / "brain.nii.gz"


def test_a_scan_goes_in_and_comes_out_twice_as_large(brain: Path) -> None:
    ran = fit(brain, "--psnr", 45)
    assert (ran.code, ran.err) == (0, "")
    model = brain.with_name("brain.inr")
    large = brain.with_name("large.nii.gz")
    ran = run("render", model, "-o", large, "--scale", 2)
    assert (ran.code, ran.err) == (0, "")
    assert "24x20x16" in ran.out
    image: Any = nibabel.load(large)
    assert (image.shape, image.get_data_dtype()) == ((24, 20, 16), np.int16)
    # Voxels of half the size; the corner of the first one stays where it was.
    np.testing.assert_allclose(np.diag(image.affine)[:3], (0.25, 0.375, 1))
    np.testing.assert_allclose(image.affine[:3, 3], (3 - 0.125, -4 - 0.1875, 5 - 0.5))
    told = json.loads(run("info", model, "--json").out)
    assert (told["kind"], told["source"]["format"]) == ("volume", "NIfTI")
    assert [axis["unit"] for axis in told["axes"]] == [""] * 3


@pytest.mark.parametrize("suffix", [".nii", ".zarr", ".nc", ".npz", ".tif"])
def test_a_part_of_a_scan_is_written_where_it_lies(brain: Path, suffix: str) -> None:
    fit(brain, "--psnr", 45)
    part = brain.with_name(f"part{suffix}")
    for _ in range(2):
        ran = run("render", brain.with_name("brain.inr"), "-o", part, "--crop", "2,3,4,8,9,8")
        assert (ran.code, ran.err) == (0, "")
    signal = partinr.read(part)
    assert signal.shape == (4, 6, 6)
    assert fit(part, "-o", part.with_name("part.inr")).code == 0
    image = part.with_name("again.nii")
    assert run("render", part.with_name("part.inr"), "-o", image).code == 0
    affine = nibabel.load(image).affine  # type: ignore[attr-defined]
    np.testing.assert_allclose(affine[:3, 3], (3 + 2 * 0.5, -4 + 3 * 0.75, 5 + 4 * 2))


def test_one_volume_of_several(tmp_path: Path) -> None:
    values = np.stack([scan(), scan() + 7], axis=-1)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "run.nii")
    before = state_of(tmp_path)
    assert_refused(fit(tmp_path / "run.nii"), "holds 2 volumes", "--volume N", "0 to 1")
    assert_refused(fit(tmp_path / "run.nii", "--volume", 2), "--volume must be 0 to 1, got 2")
    assert state_of(tmp_path) == before
    assert fit(tmp_path / "run.nii", "--volume", 1).code == 0
    assert partinr.load(tmp_path / "run.inr").signal.value_range == (scan().min() + 7, scan().max() + 7)


def test_an_array_of_a_file_of_several(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["run/1"], file["run/2"] = scan(), scan() + 7
    assert_refused(fit(tmp_path / "a.h5"), "expected one array, got 2: /run/1 (12 x 10 x 8), /run/2")
    assert_refused(fit(tmp_path / "a.h5:/run/3"), "has no array /run/3")
    ran = fit(tmp_path / "a.h5:/run/2")
    assert (ran.code, ran.err) == (0, "")
    assert partinr.load(tmp_path / "a-run-2.inr").signal.source["name"] == "2"


def test_a_variable_comes_back_with_its_coordinates(tmp_path: Path) -> None:
    data = xarray.DataArray(
        np.sin(np.linspace(0, 3, 60)).reshape(6, 10),
        dims=("latitude", "longitude"),
        coords={"latitude": np.arange(6) * -2.5 + 50, "longitude": [0, 1, 2, 3, 4, 6, 8, 10, 13, 17.0]},
        name="t2m",
        attrs={"units": "K"},
    )
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    assert fit(tmp_path / "a.nc", "--psnr", 90).code == 0
    assert run("render", tmp_path / "a.inr", "-o", tmp_path / "b.nc").code == 0
    with xarray.open_dataarray(tmp_path / "b.nc", engine="h5netcdf") as again:
        xarray.testing.assert_allclose(again, data, atol=1e-3)
        assert (again.name, again.attrs) == (data.name, data.attrs)


def test_a_folder_of_zarr_is_not_taken_for_any_folder(brain: Path) -> None:
    fit(brain, "--psnr", 45)
    folder = brain.with_name("mine.zarr")
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    before = state_of(brain.parent)
    ran = run("render", brain.with_name("brain.inr"), "-o", folder)
    assert_refused(ran, "other things in it, which would be lost")
    assert_refused(run("render", brain.with_name("brain.inr"), "-o", brain.parent), "it is a folder")
    assert state_of(brain.parent) == before


def test_bombs_are_refused_by_their_headers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("bomb", (2, 100_000, 125_000), "f4", chunks=(1, 1000, 1000))
    assert_refused(fit(tmp_path / "a.h5"), "100,000,000,000 bytes", "--max-pixels 25000000000")
    assert not (tmp_path / "a.inr").exists()


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("scan.nii.gz", "scan.inr"),
        ("scan.nii", "scan.inr"),
        ("a.b.tif", "a.b.inr"),
        ("series", "series.inr"),
        ("cube.zarr", "cube.inr"),
    ],
)
def test_names_of_outputs(tmp_path: Path, source: str, target: str) -> None:
    assert inr_beside(tmp_path / source) == tmp_path / target
