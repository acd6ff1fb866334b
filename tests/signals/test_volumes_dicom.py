"""DICOM: files of every transfer syntax, series in folders, and folders that are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from numpy import ndarray
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from partinr.errors import InputError
from partinr.signals import read, write
from partinr.signals.volumes.geometry import affine_of

CT = "1.2.840.10008.5.1.4.1.1.2"


def slices() -> ndarray:
    """Four slices of five rows and six columns, of 12 bits with a sign."""
    return np.random.default_rng(0).integers(-1024, 3000, (4, 5, 6)).astype(np.int16)


def dataset(values: ndarray, number: int, series: str = "1.2.3", **changes: Any) -> FileDataset:
    """A slice, 3 mm above the one before it."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CT, f"{series}.{number}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made: Any = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SOPClassUID, made.SOPInstanceUID, made.SeriesInstanceUID = CT, f"{series}.{number}", series
    made.Modality, made.SeriesNumber, made.InstanceNumber, made.PatientName = "CT", 5, number, "Doe^Jane"
    made.Rows, made.Columns = values.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 1
    made.PixelSpacing, made.SliceThickness = [0.75, 0.5], 3
    made.ImageOrientationPatient = [1, 0, 0, 0, 0.8, 0.6]
    made.ImagePositionPatient = [10, 20 - 1.8 * number, 30 + 2.4 * number]
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.PixelData = values.astype("<i2").tobytes()
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def series(folder: Path, values: ndarray | None = None, **changes: Any) -> Path:
    """A folder of slices whose names are not in their order."""
    folder.mkdir(exist_ok=True)
    for number, one in enumerate(slices() if values is None else values):
        dataset(one, number, **changes).save_as(folder / f"{(7 * number) % 5}.dcm")
    return folder


# --- values and places --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *(
            "CT_small.dcm",
            "MR_small.dcm",
            "MR_small_bigendian.dcm",
            "MR_small_implicit.dcm",
            "MR_small_RLE.dcm",
        ),
        *("MR_small_jp2klossless.dcm", "rtdose.dcm", "rtdose_rle.dcm", "image_dfl.dcm", "SC_rgb_rle.dcm"),
        *("SC_rgb_rle_16bit_2frame.dcm", "SC_ybr_full_422_uncompressed.dcm", "examples_overlay.dcm"),
    ],
)
def test_pydicoms_own_samples_are_what_pydicom_says(name: str) -> None:
    path = Path(str(get_testdata_file(name)))
    expected = pydicom.dcmread(path)
    signal = read(path)
    values = signal.values if signal.channels > 1 else signal.values[..., 0]
    np.testing.assert_array_equal(values, expected.pixel_array)
    assert signal.spec.source["format"] == "DICOM"
    assert "patient" not in str(signal.spec.source).lower()


def test_what_pydicom_has_no_decoder_for_is_decoded_by_imagecodecs() -> None:
    compressed = read(str(get_testdata_file("MR_small_jpeg_ls_lossless.dcm")))
    np.testing.assert_array_equal(compressed.values, read(str(get_testdata_file("MR_small.dcm"))).values)
    assert compressed.spec.dtype == "int16"


def test_a_series_is_sorted_by_place_and_knows_the_world(tmp_path: Path) -> None:
    signal = read(series(tmp_path / "scan"))
    np.testing.assert_array_equal(signal.values[..., 0], slices())
    assert signal.spec.kind == "volume"
    assert signal.spec.value_range == (slices().min(), slices().max())
    # Column, row and plane of DICOM's world, turned to the right and to the front.
    affine = [[-0.5, 0, 0, -10], [0, -0.6, 1.8, -20], [0, 0.45, 2.4, 30], [0, 0, 0, 1]]
    np.testing.assert_allclose(affine_of(signal.spec), affine, atol=1e-12)
    assert [a.spacing for a in signal.spec.axes or ()] == pytest.approx([3, 0.75, 0.5])
    source = signal.spec.source
    assert (source["intercept"], source["value_unit"], source["modality"]) == (-1024, "HU", "CT")
    assert "Doe" not in str(signal.spec)
    write(tmp_path / "scan.nii.gz", signal.values, signal.spec)
    image: Any = nibabel.load(tmp_path / "scan.nii.gz")
    np.testing.assert_allclose(image.get_fdata().T, slices() - 1024.0)
    np.testing.assert_allclose(image.affine, affine, atol=1e-6)


def test_padding_is_missing(tmp_path: Path) -> None:
    values = slices()
    values[:, 0, :3] = -2000
    signal = read(series(tmp_path / "ct", values, PixelPaddingValue=-2000))
    np.testing.assert_array_equal(signal.mask, values != -2000)
    assert signal.spec.value_range == (values[values != -2000].min(), values.max())


def test_slices_of_different_slopes_become_what_their_values_mean(tmp_path: Path) -> None:
    folder = tmp_path / "pet"
    folder.mkdir()
    for number, one in enumerate(slices()):
        dataset(one, number, RescaleSlope=number + 1, RescaleIntercept=0).save_as(folder / f"{number}.dcm")
    signal = read(folder)
    np.testing.assert_allclose(signal.values[..., 0], slices() * np.arange(1.0, 5)[:, None, None])
    assert (signal.spec.dtype, "slope" in signal.spec.source) == ("float32", False)


def test_volumes_at_the_same_places_are_several(tmp_path: Path) -> None:
    folder = tmp_path / "scan"
    folder.mkdir()
    for time in range(2):
        for number, one in enumerate(slices()):
            place = dataset(one, number).ImagePositionPatient
            made = dataset(one + time, 10 * time + number, ImagePositionPatient=place)
            made.save_as(folder / f"{time}-{number}.dcm")
    with pytest.raises(InputError, match="holds 2 volumes"):
        read(folder)
    for time in range(2):
        np.testing.assert_array_equal(read(folder, volume=time).values[..., 0], slices() + time)


def test_a_file_of_many_frames_takes_places_from_each(tmp_path: Path) -> None:
    made = dataset(slices()[0], 0, NumberOfFrames=4, PixelData=slices().astype("<i2").tobytes())
    del made.PixelSpacing, made.ImagePositionPatient, made.ImageOrientationPatient
    shared, measures, orientation, frames = Dataset(), Dataset(), Dataset(), []
    measures.PixelSpacing, orientation.ImageOrientationPatient = [0.75, 0.5], [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    for number in range(4):
        frame, place = Dataset(), Dataset()
        place.ImagePositionPatient = [1, 2, 3 + 2.5 * number]
        frame.PlanePositionSequence = [place]
        frames.append(frame)
    made.SharedFunctionalGroupsSequence, made.PerFrameFunctionalGroupsSequence = [shared], frames
    made.save_as(tmp_path / "a.dcm")
    signal = read(tmp_path / "a.dcm")
    np.testing.assert_array_equal(signal.values[..., 0], slices())
    affine = [[-0.5, 0, 0, -1], [0, -0.75, 0, -2], [0, 0, 2.5, 3], [0, 0, 0, 1]]
    np.testing.assert_allclose(affine_of(signal.spec), affine)


def test_pictures_of_unknown_size_have_no_millimetres() -> None:
    spec = read(str(get_testdata_file("examples_rgb_color.dcm"))).spec
    assert (spec.axes, "affine" in spec.source, spec.kind) == (None, False, "image")


# --- folders that are no series -----------------------------------------------------------------------------


def other_series(folder: Path) -> None:
    dataset(slices()[0], 0, series="1.2.4", SeriesNumber=6).save_as(folder / "other.dcm")


def missing_slice(folder: Path) -> None:
    (folder / "4.dcm").unlink()  # the third of four


def twice(folder: Path) -> None:
    dataset(slices()[1], 1).save_as(folder / "copy.dcm")


def another_size(folder: Path) -> None:
    dataset(slices()[0, :4], 4).save_as(folder / "small.dcm")


def another_spacing(folder: Path) -> None:
    dataset(slices()[0], 4, PixelSpacing=[1, 1]).save_as(folder / "wide.dcm")


def numbers_alone(folder: Path) -> None:
    for path in folder.iterdir():
        header = pydicom.dcmread(path)
        del header.ImagePositionPatient
        header.InstanceNumber += header.InstanceNumber > 1
        header.save_as(path)


def encrypted(folder: Path) -> None:
    dataset(slices()[0], 4, EncryptedAttributesSequence=[Dataset()]).save_as(folder / "secret.dcm")


def unknown_syntax(folder: Path) -> None:
    made = dataset(slices()[0], 4)
    made.file_meta.TransferSyntaxUID = pydicom.uid.UID("1.2.840.10008.1.2.4.102")  # MPEG-4
    made.PixelData = pydicom.encaps.encapsulate([b"film"])
    made["PixelData"].VR = "OB"
    made.save_as(folder / "film.dcm")


def damaged_pixels(folder: Path) -> None:
    made = dataset(slices()[0], 4)
    made.file_meta.TransferSyntaxUID = JPEGLSLossless
    made.PixelData = pydicom.encaps.encapsulate([b"no JPEG-LS"])
    made["PixelData"].VR = "OB"
    made.save_as(folder / "broken.dcm")


def flat(folder: Path) -> None:
    for path in folder.iterdir():
        header = pydicom.dcmread(path)
        header.ImageOrientationPatient = [1, 0, 0, 1, 0, 0]
        header.save_as(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_series, r"expected one series, got 2 \(4 of CT 5 as .*; 1 of CT 6 as other.dcm\)"),
        (missing_slice, "slices are missing: 2.dcm and 1.dcm are 6 mm apart, others 3 mm"),
        (twice, "slices lie twice: .*copy.dcm"),
        (another_size, "must have one Rows, got 5 in 0.dcm and 4 in small.dcm"),
        (another_spacing, "must have one PixelSpacing"),
        (numbers_alone, "slices are missing: the instance numbers 1 and 3 follow"),
        (encrypted, "secret.dcm: is encrypted"),
        (
            unknown_syntax,
            r"film.dcm: the transfer syntax MPEG-4 .* \(1.2.840.10008.1.2.4.102\) has no decoder",
        ),
        (damaged_pixels, "cannot be decoded"),
        (flat, "ImageOrientationPatient must be at right angles"),
    ],
)
def test_series_that_cannot_be_read(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    folder = series(tmp_path / "scan")
    spoil(folder)
    with pytest.raises(InputError, match=message) as caught:
        read(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Dear reader")
    with pytest.raises(InputError, match="got a folder of neither"):
        read(tmp_path)
    report = str(get_testdata_file("test-SR.dcm"))
    (tmp_path / "a.dcm").write_bytes(Path(report).read_bytes())
    with pytest.raises(InputError, match="got a folder of 1 DICOM files without pictures"):
        read(tmp_path)
    with pytest.raises(InputError, match="expected a DICOM file with a picture, got one of SR"):
        read(report)


def test_series_above_the_limit_are_refused_by_their_headers(tmp_path: Path) -> None:
    folder = series(tmp_path / "scan", Rows=60_000, Columns=60_000)
    with pytest.raises(
        InputError, match=r"at most 100,000,000 values, got 14,400,000,000 \(4 x 60000 x 60000"
    ):
        read(folder)
    with pytest.raises(InputError, match="cannot be decoded"):
        read(str(get_testdata_file("MR_truncated.dcm")))
