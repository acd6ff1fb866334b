"""Signals from arrays and .npy files, their value range, and the way back from normalised values."""

from __future__ import annotations

import io
import math
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from torch import Tensor

from partinr.errors import InputError
from partinr.signals import Signal, SignalSpec, as_signal, from_array, kinds, read

INTEGERS = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
FLOATS = ["float16", "float32", "float64"]


@pytest.mark.parametrize(
    ("shape", "channels_last", "expected"),
    [
        ((7,), None, ((7,), 1)),
        ((7,), False, ((7,), 1)),
        ((7, 2), None, ((7, 2), 1)),
        ((7, 2), True, ((7,), 2)),
        ((7, 2), False, ((7, 2), 1)),
        ((5, 7, 3), None, ((5, 7), 3)),
        ((5, 7, 4), None, ((5, 7), 4)),
        ((5, 7, 1), None, ((5, 7), 1)),
        ((5, 7, 5), None, ((5, 7, 5), 1)),
        ((5, 7, 3), False, ((5, 7, 3), 1)),
        ((5, 7, 9), True, ((5, 7), 9)),
        ((2, 3, 4, 9), None, ((2, 3, 4), 9)),
        ((2, 3, 4, 1), True, ((2, 3, 4), 1)),
        ((1,), None, ((1,), 1)),
        ((1, 1, 1), None, ((1, 1), 1)),
    ],
)
def test_which_axis_holds_the_channels(
    shape: tuple[int, ...], channels_last: bool | None, expected: tuple[tuple[int, ...], int]
) -> None:
    values = np.arange(math.prod(shape), dtype=np.uint16).reshape(shape)
    signal = from_array(values, channels_last=channels_last)
    assert (signal.shape, signal.channels) == expected
    assert signal.spec.array_shape == shape
    np.testing.assert_array_equal(signal.values.reshape(shape), values)


@pytest.mark.parametrize(
    ("shape", "channels_last"),
    [((), None), ((7,), True), ((2, 2, 2, 2), False), ((2,) * 5, None), ((2,) * 5, True), ((2,) * 6, None)],
)
def test_other_numbers_of_axes_are_refused(shape: tuple[int, ...], channels_last: bool | None) -> None:
    with pytest.raises(InputError, match="a signal has 1 to 3 axes"):
        from_array(np.zeros(shape), channels_last=channels_last)


@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0), (3, 4, 0)])
def test_empty_arrays_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="at least one sample"):
        from_array(np.zeros(shape), channels_last=len(shape) == 3)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("bool", (0, 1)),
        ("uint8", (0, 255)),
        ("uint16", (0, 65535)),
        ("int8", (-128, 127)),
        ("int16", (-32768, 32767)),
        ("uint32", (0, 1)),
        ("int32", (0, 1)),
        ("uint64", (0, 1)),
        ("int64", (0, 1)),
        ("float16", (0, 1)),
        ("float32", (0, 1)),
        ("float64", (0, 1)),
    ],
)
def test_value_range_of_each_type(dtype: str, expected: tuple[float, float]) -> None:
    signal = from_array(np.array([0, 1], dtype))
    assert signal.spec.value_range == expected
    assert all(type(bound) is float for bound in signal.spec.value_range)
    assert signal.spec.dtype == dtype
    np.testing.assert_array_equal(signal.spec.quantise(signal.normalised()), signal.values)


@pytest.mark.parametrize("dtype", [*INTEGERS[2:4], *INTEGERS[6:], *FLOATS])
def test_wide_types_have_the_range_of_their_values(dtype: str) -> None:
    assert from_array(np.array([3, 9, 5], dtype)).spec.value_range == (3, 9)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(2.5), (2.5, 3.5)),
        (np.float64(-1e300), (-1e300, math.nextafter(-1e300, 0))),
        (np.int32(-7), (-7, -6)),
        (np.uint32(2**32 - 1), (2**32 - 2, 2**32 - 1)),
        (np.int32(2**31 - 1), (2**31 - 2, 2**31 - 1)),
    ],
)
def test_constant_data_has_a_range_all_the_same(value: np.generic, expected: tuple[float, float]) -> None:
    signal = from_array(np.full(4, value))
    assert signal.spec.value_range == expected
    np.testing.assert_array_equal(signal.spec.quantise(signal.normalised()), signal.values)


def test_a_given_range_is_kept() -> None:
    signal = from_array(np.array([0, 4095], np.uint16), value_range=(0.0, 4095.0))
    assert signal.spec.value_range == (0, 4095)
    np.testing.assert_array_equal(signal.normalised()[:, 0], [0, 1])
    # 0.1 in single precision is above 0.1 in double.
    assert from_array(np.array([0, 0.1], np.float32), value_range=(0.0, 0.1)).spec.value_range == (0, 0.1)
    np.testing.assert_array_equal(
        from_array(np.array([-1.0, 0, 3]), value_range=(-1.0, 3.0)).normalised()[:, 0], [0, 0.25, 1]
    )


@pytest.mark.parametrize(
    ("dtype", "value_range", "message"),
    [
        ("float32", (1, 1), "low < high"),
        ("float32", (2, 1), "low < high"),
        ("float32", (0, math.nan), "low < high"),
        ("float32", (-math.inf, 1), "finite"),
        ("float64", (-1.7e308, 1.7e308), "finite"),
        ("float32", (0, 4), "must lie in value_range"),
        ("float32", (1, 9), "must lie in value_range"),
        ("uint8", (0, 4), "must lie in value_range"),
        ("uint8", (0, 256), "within what uint8 holds"),
        ("int8", (-129, 100), "within what int8 holds"),
        ("bool", (0, 2), "within what bool holds"),
    ],
)
def test_ranges_that_are_none_or_do_not_hold_the_values(
    dtype: str, value_range: tuple[float, float], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        from_array(np.array([0, 5]).astype(dtype), value_range=(float(value_range[0]), float(value_range[1])))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1.0, np.inf]), "must be finite, got 1 NaN or infinite"),
        (np.array([np.inf, -np.inf, 0], np.float32), "must be finite, got 2 NaN"),
        (np.array([1, None], object), "got object"),
        (np.array([1j]), "got complex128"),
        (np.array(["a"]), "got <U1"),
        (np.array([b"a"]), r"got \|S1"),
        (np.zeros(3, [("a", "f4")]), "got "),
        (np.zeros(3, "datetime64[s]"), "got datetime64"),
        (np.zeros(3, "timedelta64[s]"), "got timedelta64"),
        (np.array([np.nan, np.nan]), "all 2 samples are missing"),
        (np.ma.masked_equal([2, 2], 2), "all 2 samples are missing"),
        ([[1, 2], [3]], "convertible to a NumPy array"),
        (np.array([0, 2**53 + 1]), "2\\^53"),
        (np.array([-(2**63), 0]), "2\\^53"),
        (np.array([-1.7e308, 1.7e308]), "span a range"),
    ],
    ids=str,
)
def test_values_that_are_not_finite_numbers_are_refused(values: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        from_array(values)
    assert "\n" not in str(caught.value)


def test_long_doubles_are_refused_where_there_are_any() -> None:
    wide = np.zeros(3, np.longdouble)
    if wide.dtype.itemsize == 8:
        pytest.skip("long double is double here")
    with pytest.raises(InputError, match="up to 64 bits"):
        from_array(wide)


@pytest.mark.parametrize(
    "values",
    [
        [[0, 1, 2], [3, 4, 5]],
        torch.arange(6).reshape(2, 3),
        torch.arange(6.0).reshape(2, 3).requires_grad_(),
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3)),
        np.arange(12).reshape(2, 6)[:, ::2] // 2,
        np.ma.array([[0, 1, 2], [3, 4, 5]]),
    ],
    ids=["list", "tensor", "with gradient", "big endian", "Fortran", "strided", "nothing masked"],
)
def test_everything_like_an_array_is_copied_native_and_frozen(values: object) -> None:
    signal = from_array(values)
    np.testing.assert_array_equal(signal.values[..., 0], [[0, 1, 2], [3, 4, 5]])
    assert signal.values.dtype.isnative
    assert signal.values.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        signal.values[0, 0, 0] = 9


def test_the_signal_does_not_change_with_the_array() -> None:
    values = np.zeros((3, 4), np.uint8)
    signal = from_array(values)
    values[:] = 9
    assert not signal.values.any()
    assert values.flags.writeable
    tensor = torch.zeros(5)
    signal = from_array(tensor)
    tensor += 1
    assert not signal.values.any()


@pytest.mark.parametrize(
    ("shape", "spec_shape", "message"),
    [
        ((3, 4, 1), (3, 5), r"must have shape \(3, 5, 1\), got \(3, 4, 1\)"),
        ((2, 2, 2, 2, 1), (2, 2, 2, 2), "1 to 3 axes"),
        ((3, 0, 1), (3, 0), "at least one sample"),
    ],
)
def test_a_signal_checks_itself(shape: tuple[int, ...], spec_shape: tuple[int, ...], message: str) -> None:
    spec = SignalSpec("array", spec_shape, 1, "uint8", (0.0, 255.0), True)
    with pytest.raises(InputError, match=message):
        Signal(np.zeros(shape, np.uint8), spec)


def test_as_signal_leaves_signals_alone() -> None:
    signal = as_signal(np.zeros((3, 4), np.uint8))
    assert isinstance(signal, Signal)
    assert as_signal(signal) is signal


@settings(max_examples=60)
@given(
    npst.arrays(
        npst.integer_dtypes(sizes=(8, 16)) | npst.unsigned_integer_dtypes(sizes=(8, 16)) | st.just(bool),
        npst.array_shapes(max_dims=3),
    )
)
def test_normalised_integers_come_back_exactly(values: np.ndarray) -> None:
    signal = from_array(values)
    normalised = signal.normalised()
    assert normalised.dtype == np.float32
    assert normalised.min() >= 0
    assert normalised.max() <= 1
    back = signal.spec.quantise(normalised)
    assert back.dtype == signal.values.dtype
    np.testing.assert_array_equal(back, signal.values)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8", "int16"])
def test_single_precision_keeps_every_value_of_16_bits(dtype: str) -> None:
    info = np.iinfo(dtype)
    signal = from_array(np.arange(info.min, info.max + 1).astype(dtype))
    np.testing.assert_array_equal(signal.spec.quantise(signal.normalised()), signal.values)
    # ... with room to spare: an error of a tenth of a step changes nothing.
    step = 0.1 / (info.max - info.min)
    for error in (-step, step):
        np.testing.assert_array_equal(
            signal.spec.quantise(signal.normalised() + np.float32(error)), signal.values
        )


@settings(max_examples=60)
@given(
    npst.arrays(
        st.sampled_from(["float32", "float64"]),
        npst.array_shapes(max_dims=2),
        elements=st.floats(-(2.0**100), 2.0**100, width=32),
    )
)
@example(np.array([-3.0e38, 3.0e38], np.float32))
@example(np.array([0, 5e-324]))
def test_normalised_floats_come_back_to_single_precision_of_the_range(values: np.ndarray) -> None:
    signal = from_array(values)
    low, high = signal.spec.value_range
    back = signal.spec.quantise(signal.normalised())
    assert back.dtype == values.dtype
    error = np.abs(back[..., 0].astype(np.float64) - values)
    # Half a unit in the last place of a number up to 1, and rounding to the values' own type.
    assert (error <= (high - low) * 2.0**-24 + np.spacing(np.abs(values).astype(values.dtype))).all()


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS])
def test_predictions_beyond_the_range_are_clipped_to_it(dtype: str) -> None:
    info = np.iinfo(dtype) if dtype != "bool" else None
    top = 1 if info is None else min(info.max, 2**53)
    bottom = 0 if info is None else max(info.min, -(2**53))
    spec = from_array(np.array([bottom, top]).astype(dtype)).spec
    beyond = np.array([[-0.5], [1.5], [-1e6], [1e6]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(
            spec.quantise(beyond)[:, 0], np.array([bottom, top, bottom, top]).astype(dtype)
        )


def test_float_predictions_are_neither_rounded_nor_made_infinite() -> None:
    spec = from_array(np.array([0, 60000], np.float16)).spec
    np.testing.assert_array_equal(
        spec.quantise(np.array([[0.5], [1.05013], [2], [-0.1]]))[:, 0], [30000, 63008, 65504, -6000]
    )


# --- .npy ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *FLOATS, ">u2", ">f4"])
@pytest.mark.parametrize("shape", [(7,), (5, 7), (5, 7, 3), (4, 5, 6), (2, 3, 4, 5)])
def test_npy_of_every_type_and_shape(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    values = (np.arange(math.prod(shape)) % 2).reshape(shape).astype(dtype)
    path = tmp_path / "a.npy"
    np.save(path, values)
    signal, expected = read(path), from_array(values)
    assert signal.spec == expected.spec
    np.testing.assert_array_equal(signal.values, expected.values)
    assert not signal.values.flags.writeable


def test_npy_options_reach_the_array(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((4, 5, 3), np.uint16))
    assert read(path, channels_last=False).shape == (4, 5, 3)
    assert read(path, value_range=(0.0, 4095.0)).spec.value_range == (0, 4095)


def test_npy_in_fortran_order_and_of_format_version_2(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    values = np.asfortranarray(np.arange(20.0).reshape(4, 5))
    with path.open("wb") as file:
        np.lib.format.write_array(file, values, version=(2, 0))
    np.testing.assert_array_equal(read(path).values[..., 0], values)


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "array.png"
    with path.open("wb") as file:
        np.save(file, np.zeros(5))
    assert read(path).shape == (5,)


class Bomb:
    """Would leave a file behind if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_object_arrays_are_never_unpickled(tmp_path: Path) -> None:
    path, trace = tmp_path / "a.npy", tmp_path / "trace"
    np.save(path, np.array([Bomb(trace)], object), allow_pickle=True)
    with pytest.raises(InputError, match="Python objects, which are never unpickled"):
        read(path)
    assert not trace.exists()
    # The file is a bomb indeed.
    np.load(path, allow_pickle=True)
    assert trace.exists()
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "second")))
    with pytest.raises(InputError, match="something else"):
        read(path)
    assert not (tmp_path / "second").exists()


def npy_with_header(header: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x93NUMPY", "not a whole .npy file"),
        (b"\x93NUMPY\x09\x00", "not a whole .npy file"),
        (b"\x93NUMPY\x03\x00", "not a whole .npy file"),
        (npy_with_header("{'descr': '<f4', 'fortran_order"), "not a whole .npy file"),
        (
            npy_with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"),
            "not a whole .npy file",
        ),
        (npy_with_header("{'descr': '<f4', 'fortran_order': False, 'shape': 'a'}"), "not a whole .npy file"),
        (npy_with_header("__import__('os')"), "not a whole .npy file"),
        (
            npy_with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", bytes(11)),
            "truncated: .* take 12 bytes after the header, got 11",
        ),
        # A header that claims 8 TB must not allocate them.
        (
            npy_with_header(
                "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000)}", bytes(80)
            ),
            "truncated",
        ),
    ],
)
def test_damaged_npy_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_npy_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(5.0))
    path = tmp_path / "a.npy"
    for length in range(buffer.getbuffer().nbytes):
        path.write_bytes(buffer.getvalue()[:length])
        with pytest.raises(InputError):
            read(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([0, np.inf]), "must be finite"),
        (np.zeros((2,) * 5), "1 to 3 axes"),
        (np.zeros((0, 3)), "at least one sample"),
        (np.array(5.0), "1 to 3 axes"),
        (np.zeros(3, complex), "got complex128"),
        (np.zeros(3, [("a", "f4")]), "got "),
        (np.array(["text"]), "got <U4"),
    ],
)
def test_npy_files_that_are_no_signals(tmp_path: Path, values: np.ndarray, message: str) -> None:
    path = tmp_path / "a.npy"
    np.save(path, values)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


# --- files that are nothing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".npy", ".tif", ".txt", ""])
def test_files_that_are_no_signals(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    cases = [
        (lambda: None, "no such file"),
        (lambda: path.write_bytes(b""), "empty"),
        (
            lambda: path.write_text("Dear reader,\nthis is a text."),
            "points are read by the names" if suffix == ".txt" else "got something else",
        ),
    ]
    for make, message in cases:
        make()
        with pytest.raises(InputError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="got a folder"):
        read(tmp_path / "folder")
    with pytest.raises(InputError, match="cannot be read"):
        read(path / "below a file")
    for name in ("n" * 300, "nul\0"):
        with pytest.raises(InputError, match="cannot be read"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "x.doc",
            (
                "pictures (PNG, ",
                "sounds (WAV, ",
                "videos (MP4, ",
                "volumes (NIfTI, ",
                "arrays (NumPy, ",
                "points (.csv, ",
            ),
        ),
        ("x.jpg", ("expected pictures (PNG, ",)),
        ("x.parquet", ("--coords X,Y and --values V",)),
        (
            "x.opus",
            (
                "expected sounds (WAV, ",
                'pip install "partinr[sound]"',
            ),
        ),
        (
            "x.nii",
            (
                "expected volumes (NIfTI, ",
                'pip install "partinr[volumes]"',
            ),
        ),
    ],
)
def test_files_of_no_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: tuple[str, ...]
) -> None:
    (tmp_path / name).write_text("Dear reader")
    with pytest.raises(InputError) as caught:
        read(tmp_path / name)
    assert "pip install" not in str(caught.value)
    monkeypatch.setattr(kinds, "find_spec", lambda _: None)
    with pytest.raises(InputError) as caught:
        read(tmp_path / name)
    assert all(part in str(caught.value) for part in said), caught.value


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs a device file")
def test_devices_are_refused() -> None:
    with pytest.raises(InputError, match="device"):
        read("/dev/null")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(3))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="may not be read; check its permissions"):
        read(path)


# Archives


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["uint8", "float32", ">i2", "bool"])
def test_an_archive_of_one_array(tmp_path: Path, save: Callable[..., None], dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 2, (5, 7, 3)).astype(dtype)
    save(tmp_path / "one.npz", picture=np.asfortranarray(values))
    signal = read(tmp_path / "one.npz")
    np.testing.assert_array_equal(signal.values, values)
    assert signal.spec == from_array(values).spec
    assert read(tmp_path / "one.npz", channels_last=False, value_range=(0, 1)).shape == (5, 7, 3)


def test_an_archive_of_several_arrays_names_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", first=np.zeros(4), second=np.ones(4))
    with pytest.raises(InputError, match=r"got 2: first, second; save one, .*numpy\.load\(FILE\)\['first'\]"):
        read(tmp_path / "two.npz")


def damaged_archive(change: Callable[[bytes], bytes]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, np.random.default_rng(0).random(500))
    return change(file.getvalue())


def archive_of(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


def npy_bytes(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (damaged_archive(lambda data: data[:-30]), r"cannot be decoded as a NumPy \.npz"),
        (
            damaged_archive(lambda data: data[:900] + bytes(200) + data[1100:]),
            r"cannot be decoded as a NumPy",
        ),
        (archive_of("notes.txt", b"no array"), "expected an array in the .npz file, got none"),
        (archive_of("a.npy", b"no array"), "not a whole .npy file"),
        (archive_of("a.npy", npy_bytes(np.arange(50))[:-1]), "truncated"),
        (archive_of("a.npy", npy_bytes(np.array([{}]))), "never unpickled"),
        (archive_of("a.npy", npy_bytes(np.array(["x"]))), "must be integers"),
    ],
)
def test_archives_that_are_no_signals(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "one.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_compressed_archive_above_the_limit_is_not_unpacked(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "one.npz", np.zeros(1001, np.uint8))
    with pytest.raises(InputError, match="at most 1,000 pixels, got 1,001"):
        read(tmp_path / "one.npz", max_pixels=1000)


# Ranges at the ends of what a type holds


@pytest.mark.parametrize(
    "values",
    [
        np.array([0, 3, 10]) * 1e199,
        np.array([-5, 3, 10]) * 1e307,
        np.array([0, 3, 10]) * 1e-171,
        np.array([0, 3, 10]) * 1e-310,
        np.array([0, 1, 2]) * 5e-324,
        np.array([1e200, np.nextafter(1e200, np.inf)]),
        np.full(3, np.finfo(np.float64).max),
        np.array([2**53 - 3, 2**53]),
        np.array([0, 2**53], np.uint64),
    ],
)
def test_extreme_values_come_back(values: np.ndarray) -> None:
    signal = from_array(values)
    low, high = signal.spec.value_range
    back = signal.spec.quantise(signal.normalised())[..., 0]
    error = np.abs(back.astype(np.float64) / 2 - values.astype(np.float64) / 2) / (high / 2 - low / 2)
    assert np.isfinite(back).all()
    assert error.max() <= 6e-8


def test_integers_that_a_double_may_not_hold_are_refused_in_a_range_of_their_own() -> None:
    for values, value_range in (
        (np.array([2**60, 2**60 + 9]), (2.0**60, 2.0**60 + 1024)),
        (np.array([0, 9], np.uint64), (0.0, 2.0**60)),
    ):
        with pytest.raises(InputError, match="within ±2\\^53"):
            from_array(values, value_range=value_range)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.bfloat16(),
        lambda t: t.to(torch.float8_e4m3fn),
        lambda t: torch._neg_view(-t),
        lambda t: torch.complex(t, -t).conj().imag,
        lambda t: t.to_sparse(),
        lambda t: t.to_sparse_csr(),
        lambda t: t.half().requires_grad_(),
    ],
    ids=["bfloat16", "float8", "negative bit", "conjugate's part", "sparse", "compressed rows", "gradient"],
)
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_tensors_whose_numbers_numpy_could_hold(change: Callable[[Tensor], Tensor]) -> None:
    exact = torch.tensor([[0.5, 1.0, 0.0], [2.0, 0.25, 4.0]])  # in every type
    np.testing.assert_array_equal(from_array(change(exact)).values[..., 0], exact.numpy())


@pytest.mark.parametrize(
    "tensor", [torch.empty(3, 4, device="meta"), torch.complex(torch.ones(3), torch.ones(3))]
)
def test_tensors_without_real_numbers(tensor: Tensor) -> None:
    with pytest.raises(InputError, match="signal values must be") as refused:
        from_array(tensor)
    assert "\n" not in str(refused.value)
