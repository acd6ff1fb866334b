"""Scans: NIfTI, NRRD and MetaImage against libraries that know them, and affines that follow renderings."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
from numpy import ndarray

import partinr
from partinr.errors import InputError
from partinr.signals import Axis, Signal, SignalSpec, read, write
from partinr.signals.volumes.geometry import affine_of

SHAPE = (5, 6, 7)
SAMPLES = Path(nibabel.__file__).parent / "tests" / "data"


def counts(shape: tuple[int, ...] = SHAPE, dtype: str = "int16") -> ndarray:
    """Numbers as a scanner makes them: of a small part of what the type holds."""
    return np.random.default_rng(0).integers(-1000, 3000, shape).astype(dtype)


def turned() -> ndarray:
    """An oblique affine with unequal sides of voxels."""
    cos, sin = np.cos(0.3), np.sin(0.3)
    directions = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) * (0.5, 0.75, 2)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = directions, (10, -20, 30)
    return affine


def nifti(path: Path, values: ndarray, affine: ndarray | None = None, **fields: Any) -> Path:
    """A file by nibabel; `values` has its axes (i, j, k, ...)."""
    image = nibabel.Nifti1Image(values, turned() if affine is None else affine)
    for name, value in fields.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


# --- against the libraries' own samples and values ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "volume"),
    [
        ("anatomical.nii", None),
        ("functional.nii", 7),
        ("example_nifti2.nii.gz", 1),
        ("example_nifti2.nii.gz", 0),
    ],
)
def test_nibabels_own_samples_are_what_nibabel_says(name: str, volume: int | None) -> None:
    image: Any = nibabel.load(SAMPLES / name)
    expected = image.get_fdata() if volume is None else image.get_fdata()[..., volume]
    signal = read(SAMPLES / name, volume=volume)
    slope, intercept = (signal.spec.source.get(k, d) for k, d in (("slope", 1), ("intercept", 0)))
    assert signal.spec.kind == "volume"
    np.testing.assert_allclose(signal.values[..., 0].T * slope + intercept, expected, rtol=1e-12)
    np.testing.assert_array_equal(affine_of(signal.spec), image.affine)
    lengths = tuple(axis.spacing for axis in reversed(signal.spec.axes or ()))
    assert lengths == pytest.approx(image.header.get_zooms()[:3])


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_format_of_one_scan_is_the_same_signal(tmp_path: Path, suffix: str, compressed: bool) -> None:
    values, affine = counts(), turned()
    image = sitk.GetImageFromArray(values)
    # ITK's world is to the left and to the back.
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((-10.0, 20.0, 30.0))
    image.SetDirection((np.diag([-1, -1, 1]) @ affine[:3, :3] / (0.5, 0.75, 2)).ravel().tolist())
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(image, path, compressed)
    signal = read(path)
    np.testing.assert_array_equal(signal.values[..., 0], values)
    np.testing.assert_allclose(affine_of(signal.spec), affine, atol=1e-6)
    assert [a.name for a in signal.spec.axes or ()] == ["z", "y", "x"]
    assert {a.unit for a in signal.spec.axes or ()} == {"mm"}
    assert signal.spec.value_range == (values.min(), values.max())


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha"])
def test_vectors_are_channels(tmp_path: Path, suffix: str) -> None:
    values = counts((*SHAPE, 3), "uint8")
    sitk.WriteImage(sitk.GetImageFromArray(values, isVector=True), tmp_path / f"a{suffix}")
    signal = read(tmp_path / f"a{suffix}")
    assert (signal.shape, signal.channels) == (SHAPE, 3)
    np.testing.assert_array_equal(signal.values, values)


def test_the_one_volume_that_is_named_is_read(tmp_path: Path) -> None:
    values = counts((7, 6, 5, 3))
    nifti(tmp_path / "a.nii.gz", values)
    nrrd.write(str(tmp_path / "a.nrrd"), values, {"kinds": ["domain", "domain", "domain", "time"]})
    sitk.WriteImage(sitk.GetImageFromArray(values.T, isVector=False), tmp_path / "a.mha")
    for path in (tmp_path / "a.nii.gz", tmp_path / "a.nrrd", tmp_path / "a.mha"):
        with pytest.raises(InputError, match=r"holds 3 volumes.*--volume N \(in Python volume=N\), 0 to 2"):
            read(path)
        with pytest.raises(InputError, match="--volume must be 0 to 2, got 3"):
            read(path, volume=3)
        np.testing.assert_array_equal(read(path, volume=2).values[..., 0].T, values[..., 2])


def test_colours_of_nifti(tmp_path: Path) -> None:
    packed = np.zeros((7, 6, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    packed["G"], packed["B"] = 7, 9
    nibabel.save(nibabel.Nifti1Image(packed, np.eye(4)), tmp_path / "a.nii")
    signal = read(tmp_path / "a.nii")
    assert signal.values[0, 0, 0].tolist() == [0, 7, 9]
    write(tmp_path / "b.nii", signal.values, signal.spec)
    again: Any = nibabel.load(tmp_path / "b.nii")
    np.testing.assert_array_equal(np.asarray(again.dataobj), packed)


def test_nrrd_without_directions_has_spacings_and_unknown_spaces_are_refused(tmp_path: Path) -> None:
    values = counts()
    nrrd.write(str(tmp_path / "a.nrrd"), values, {"spacings": [2.0, 0.75, 0.5], "units": ["um", "um", "um"]})
    signal = read(tmp_path / "a.nrrd")
    # pynrrd writes the first axis as the fastest.
    np.testing.assert_array_equal(signal.values[..., 0].T, values)
    assert signal.spec.axes == (Axis("z", "um", 0.5), Axis("y", "um", 0.75), Axis("x", "um", 2.0))
    directions = {"space": "martian", "space directions": np.eye(3), "space origin": np.zeros(3)}
    (tmp_path / "b.nrrd").write_bytes((tmp_path / "a.nrrd").read_bytes())
    nrrd.write(str(tmp_path / "b.nrrd"), values, {**directions, "space": "left-posterior-superior"})
    text = (tmp_path / "b.nrrd").read_bytes().replace(b"left-posterior-superior", b"scanner-martian-wherever")
    (tmp_path / "b.nrrd").write_bytes(text)
    with pytest.raises(InputError, match="space scanner-martian-wherever"):
        read(tmp_path / "b.nrrd")


# --- round trips --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".zarr", ".nc", ".npz", ".tif"])
def test_a_scan_comes_back_with_all_that_its_file_said(tmp_path: Path, suffix: str) -> None:
    path = nifti(tmp_path / "a.nii", counts().T, descrip=b"made by a test", intent_code=1001, cal_max=7)
    image: Any = nibabel.load(path)
    image.header.set_xyzt_units("micron", "sec")
    image.header.set_slope_inter(0.5, -1024)
    image.header.set_qform(turned(), 1)
    image.header["vox_offset"] = 352
    # Not the file itself, mapped into memory.
    stored = np.asarray(image.dataobj).copy()
    with path.open("wb") as file:
        file.write(image.header.binaryblock + bytes(4) + stored.tobytes("F"))
    signal = read(path)
    np.testing.assert_array_equal(signal.values[..., 0].T, stored)
    assert (signal.spec.source["slope"], signal.spec.source["intercept"]) == (0.5, -1024.0)
    back = tmp_path / f"back{suffix}"
    write(back, signal.values, signal.spec)
    again = read(back)
    np.testing.assert_array_equal(again.values, signal.values)
    assert (again.spec.dtype, again.spec.value_range) == (signal.spec.dtype, signal.spec.value_range)
    assert again.spec.axes == signal.spec.axes
    np.testing.assert_array_equal(affine_of(again.spec), affine_of(signal.spec))
    for key in ("slope", "intercept"):
        assert again.spec.source[key] == signal.spec.source[key]
    if suffix in (".nii", ".nii.gz", ".npz", ".tif"):
        assert again.spec == signal.spec
        assert signal.spec.source["nifti"]["descrip"] == "made by a test"
    if suffix.startswith(".nii"):
        theirs: Any = nibabel.load(back)
        np.testing.assert_allclose(theirs.get_fdata(), stored * 0.5 - 1024)
        assert theirs.header.get_xyzt_units() == ("micron", "sec")
        assert (theirs.header["qform_code"], theirs.header["sform_code"]) == (1, 2)


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 3), (1, 2)])
def test_affines_are_stated_in_the_forms_that_the_file_had(tmp_path: Path, codes: tuple[int, int]) -> None:
    image: Any = nibabel.Nifti1Image(counts().T, None)
    image.header.set_zooms((0.5, 0.75, 2))
    image.header.set_qform(turned(), codes[0])
    if codes[1]:
        image.header.set_sform(turned(), codes[1])
    nibabel.save(image, tmp_path / "a.nii")
    signal = read(tmp_path / "a.nii")
    write(tmp_path / "b.nii", signal.values, signal.spec)
    before, after = (nibabel.load(tmp_path / name) for name in ("a.nii", "b.nii"))
    found = tuple(int(after.header[f"{form}_code"]) for form in ("qform", "sform"))  # type: ignore[attr-defined]
    assert found == codes
    np.testing.assert_allclose(after.affine, before.affine, atol=1e-5)  # type: ignore[attr-defined]


def test_a_sheared_affine_is_not_lost_in_a_form_that_cannot_hold_it(tmp_path: Path) -> None:
    sheared = turned()
    sheared[0, 2] = 0.4
    signal = read(nifti(tmp_path / "a.nii", counts().T, sheared))
    source = {**signal.spec.source, "nifti": {"qform_code": 1}}
    write(tmp_path / "b.nii", signal.values, replace(signal.spec, source=source))
    np.testing.assert_allclose(nibabel.load(tmp_path / "b.nii").affine, sheared, atol=1e-6)  # type: ignore[attr-defined]


def test_a_volume_of_no_file_lies_as_its_axes_say(tmp_path: Path) -> None:
    axes = (Axis("z", "mm", 2, -5), Axis("y", "mm", 0.75), Axis("x", "mm", 0.5, 3))
    spec = SignalSpec("volume", SHAPE, 1, "int16", (-1000, 3000), False, axes)
    write(tmp_path / "a.nii.gz", counts()[..., None], spec)
    image: Any = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(
        image.affine, [[0.5, 0, 0, 3], [0, 0.75, 0, 0], [0, 0, 2, -5], [0, 0, 0, 1]]
    )
    np.testing.assert_array_equal(np.asarray(image.dataobj), counts().T)


def test_large_axes_become_nifti_2(tmp_path: Path) -> None:
    values = np.arange(40_000, dtype=np.uint16).reshape(1, 1, -1, 1)
    write(tmp_path / "a.nii", values, SignalSpec("volume", (1, 1, 40_000), 1, "uint16", (0, 65535), False))
    image: Any = nibabel.load(tmp_path / "a.nii")
    assert isinstance(image, nibabel.Nifti2Image)
    np.testing.assert_array_equal(np.asarray(image.dataobj).ravel(), values.ravel())


def test_the_same_volume_gives_the_same_bytes(tmp_path: Path) -> None:
    signal = read(nifti(tmp_path / "a.nii", counts().T))
    for name in ("b.nii.gz", "c.nii.gz"):
        write(tmp_path / name, signal.values, signal.spec)
    assert (tmp_path / "b.nii.gz").read_bytes() == (tmp_path / "c.nii.gz").read_bytes()


# --- affines of renderings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii.gz", ".zarr", ".nc", ".npz", ".tif"])
def test_the_same_point_of_the_body_has_the_same_coordinates_at_any_size(tmp_path: Path, suffix: str) -> None:
    """A ball whose centre is found in renderings of other sizes and in a part, through each file's affine."""
    index = np.array([9.0, 7.0, 6.0])  # column, row, plane
    k, j, i = np.mgrid[:14, :15, :19]
    squared = (i - index[0]) ** 2 + (j - index[1]) ** 2 + (k - index[2]) ** 2
    ball = np.rint(2000 * np.exp(-squared / 12)).astype(np.int16)
    signal = read(nifti(tmp_path / "a.nii", ball.T))
    centre = turned()[:3, :3] @ index + turned()[:3, 3]
    result = partinr.fit(signal, goal=partinr.Compact(psnr=50))
    partinr.save(result.model, tmp_path / "a.inr", store="auto", signal=signal)
    model = partinr.load(tmp_path / "a.inr")
    parts: list[tuple[float | None, Any]] = [
        (None, None),
        (2.0, None),
        (1.5, ((1.0, 13.0), (2.0, 14.0), (3.0, 18.0))),
    ]
    for scale, crop in parts:
        values = partinr.render(model, scale=scale, crop=crop)[..., None]
        spec = model.signal.resampled(values.shape[:3], crop)
        write(tmp_path / f"b{suffix}", values, spec)
        again = read(tmp_path / f"b{suffix}")
        weights = np.clip(again.values[..., 0].astype(float) - 20, 0, None)
        found = [(weights * grid).sum() / weights.sum() for grid in np.indices(weights.shape)]
        world = affine_of(again.spec) @ (*found[::-1], 1)
        np.testing.assert_allclose(world[:3], centre, atol=0.06)
        if suffix == ".nii.gz":
            np.testing.assert_allclose(
                nibabel.load(tmp_path / "b.nii.gz").affine,  # type: ignore[attr-defined]
                affine_of(spec),
                atol=1e-5,
            )


# --- value ranges -------------------------------------------------------------------------------------------


def test_a_scans_range_is_what_it_has_and_not_what_its_type_holds(tmp_path: Path) -> None:
    values = counts()
    assert read(nifti(tmp_path / "a.nii", values.T)).spec.value_range == (values.min(), values.max())
    assert read(tmp_path / "a.nii", value_range=(-1024, 3071)).spec.value_range == (-1024, 3071)
    assert read(nifti(tmp_path / "b.nii", counts(dtype="uint8").T)).spec.value_range == (0, 255)
    for constant, span in ((7, (7, 8)), (32767, (32766, 32767))):
        path = nifti(tmp_path / "c.nii", np.full((2, 3, 4), constant, np.int16))
        assert read(path).spec.value_range == span


# --- bad input ----------------------------------------------------------------------------------------------


def damaged(path: Path, at: int, data: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[at : at + len(data)] = data
    path.write_bytes(content)
    return path


def test_a_header_that_claims_too_much_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", counts().T)
    damaged(path, 42, struct.pack("<3h", 30000, 30000, 30000))
    with pytest.raises(
        InputError, match=r"at most 100,000,000 values, got 27,000,000,000,000 .*--max-pixels"
    ):
        read(path)
    with pytest.raises(InputError, match="truncated"):
        read(path, max_pixels=None)
    zipped = tmp_path / "b.nii.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(InputError, match="at most 1,000 values"):
        read(zipped, max_pixels=1000)
    header = (
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: 90000 90000 90000\nencoding: raw\nendian: little\n\n"
    )
    (tmp_path / "a.nrrd").write_bytes(header)
    text = "ObjectType = Image\nNDims = 3\nDimSize = 90000 90000 90000\nElementType = MET_SHORT\n"
    (tmp_path / "a.mha").write_text(f"{text}ElementDataFile = LOCAL\n")
    for name in ("a.nrrd", "a.mha"):
        with pytest.raises(InputError, match="may have at most"):
            read(tmp_path / name)


def test_damaged_scans_are_refused_in_one_line(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(counts())
    for name in ("a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd"):
        for compressed in (False, True):
            sitk.WriteImage(image, tmp_path / name, compressed)
            victim = tmp_path / name
            if name == "a.mhd":
                victim = tmp_path / ("a.zraw" if compressed else "a.raw")
            victim.write_bytes(victim.read_bytes()[:-40])
            with pytest.raises(InputError) as caught:
                read(tmp_path / name)
            assert str(caught.value).startswith(f"{tmp_path / name}: ")
            assert "\n" not in str(caught.value)


def test_singular_affines_are_refused(tmp_path: Path) -> None:
    flat = turned()
    flat[:3, 2] = flat[:3, 1]
    path = nifti(tmp_path / "a.nii", counts().T)
    damaged(path, 280, flat[:3].astype("<f4").tobytes())
    with pytest.raises(InputError, match="the affine is singular"):
        read(path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"affine": "yes"}, "affine must be three rows"),
        ({"affine": [[1, 0, 0, 0], [2, 0, 0, 0], [0, 0, 1, 0]]}, "singular"),
        ({"slope": "steep"}, "slope and intercept must be finite"),
        ({"nifti": {"sform_code": 9}}, "codes of forms"),
        ({"nifti": {"cal_max": "high"}}, "nifti field cal_max"),
        ({"nifti": {"qform_code": [1]}}, "codes of forms"),
    ],
)
def test_sources_that_cannot_be_written(tmp_path: Path, source: dict[str, Any], message: str) -> None:
    spec = SignalSpec("volume", SHAPE, 1, "int16", (-1000, 3000), False, source=source)
    with pytest.raises(InputError, match=message):
        write(tmp_path / "a.nii", counts()[..., None], spec)
    assert list(tmp_path.iterdir()) == []


def test_gzip_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"Dear reader"))
    with pytest.raises(InputError, match="holds no NIfTI"):
        read(tmp_path / "a.gz")


def test_files_of_one_signal_have_no_parts(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", counts())
    for wrong in ({"volume": 0}, {}):
        path = tmp_path / "a.npy" if wrong else Path(f"{tmp_path / 'a.npy'}:/x")
        with pytest.raises(InputError, match="without parts; leave out"):
            read(path, **wrong)


def test_what_a_source_says_is_kept_by_inr_files(tmp_path: Path) -> None:
    signal: Signal = read(nifti(tmp_path / "a.nii", counts().T))
    for goal in (partinr.Compact(psnr=30), partinr.Steps(2)):
        partinr.save(partinr.fit(signal, goal=goal).model, tmp_path / "a.inr", signal=signal)
        kept = partinr.load(tmp_path / "a.inr").signal
        assert (kept.kind, kept.axes, kept.source) == (signal.spec.kind, signal.spec.axes, signal.spec.source)
