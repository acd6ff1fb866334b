"""What was saved comes back bit by bit; damaged and foreign files are refused; failures leave nothing."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from forging import Forgery, refused, same, taken_apart, tiny_file
from models import NETWORKS, TINY, cells, made, scattered
from partinr import InputError, Network, Partition, Piecewise, Signal, load, psnr, render, save
from partinr.file.inr import load_with_header
from partinr.signals.frames import Frame

# Round trips


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
@pytest.mark.parametrize("shape", [(13,), (5, 4), (3, 1, 4)])
@pytest.mark.parametrize("frame", ["global", "local"])
@pytest.mark.parametrize("kind", [cells, scattered])
def test_what_comes_back_is_bit_equal(
    tmp_path: Path, network: Network, shape: tuple[int, ...], frame: Frame, kind: Callable[..., Partition]
) -> None:
    path = tmp_path / "model.inr"
    model = made(kind(shape), network, frame)
    model.parameters[0].biases[-1][0] = -0.0
    assert save(model, path).bytes == path.stat().st_size
    loaded = load(path)
    assert same(model, loaded)
    np.testing.assert_array_equal(render(loaded), render(model))


@pytest.mark.parametrize("store", ["float32", "float16"])
@pytest.mark.parametrize("partition", [cells((6, 7), 3, 4), scattered((6, 7), 14)], ids=lambda p: p.rule)
def test_several_groups(tmp_path: Path, partition: Partition, store: Any) -> None:
    path = tmp_path / "model.inr"
    model = made(partition, NETWORKS, blend=True)
    save(model, path, store=store)
    if store == "float16":
        for array in model.named_parameters().values():
            array[...] = array.astype(np.float16)
    loaded = load(path)
    assert same(model, loaded)
    assert all(array.dtype == np.float32 for array in loaded.named_parameters().values())


@pytest.mark.parametrize(
    ("dtype", "span"),
    [("bool", (0.0, 1.0)), ("uint16", (3.0, 900.0)), ("int32", (-5.0, 5.0)), ("float64", (-1e-9, 1e300))],
)
def test_every_kind_of_signal(tmp_path: Path, dtype: str, span: tuple[float, float]) -> None:
    model = made(cells((5, 4)), TINY, "global", dtype, span, channels=1)
    save(model, tmp_path / "model.inr")
    assert load(tmp_path / "model.inr").signal == model.signal


def test_the_same_model_gives_the_same_bytes_and_so_does_the_loaded_one(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths[:2]:
        save(made(scattered((6, 7), 14), NETWORKS), path, store="float16", summary={"b": 1, "a": [2]})
    save(load(paths[0]), paths[2], store="float16", summary={"b": 1, "a": [2]})
    assert paths[0].read_bytes() == paths[1].read_bytes() == paths[2].read_bytes()


def test_it_is_a_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / "model.inr"
    model = made(cells((6, 7), 3, 4), TINY)
    save(model, path)
    tensors = safetensors.numpy.load_file(path)
    assert sorted(tensors) == sorted(["boxes", *model.named_parameters()])
    np.testing.assert_array_equal(tensors["boxes"], model.partition.boxes)


def test_other_precisions_in_memory_are_stored_in_single(tmp_path: Path) -> None:
    model = made(cells((6, 7), 3, 4), TINY)
    save(model, tmp_path / "single")
    save(model.torch().double().numpy(), tmp_path / "double")
    assert (tmp_path / "single").read_bytes() == (tmp_path / "double").read_bytes()


# Half precision


def with_noise(model: Piecewise, deviation: float) -> Signal:
    """What the model renders, and noise: its PSNR is known."""
    noise = np.random.default_rng(0).normal(0, deviation, model.signal.array_shape)
    values = (render(model) + noise).astype(model.signal.dtype)
    return Signal(values.reshape(*model.signal.shape, model.signal.channels), model.signal)


def psnr_of(model: Piecewise, signal: Signal) -> float:
    return psnr(signal.values.reshape(signal.spec.array_shape), render(model), 1.0)


def two_psnrs(model: Piecewise, signal: Signal, folder: Path) -> tuple[float, float]:
    """PSNR in single and in half precision, measured from files."""
    for store in ("float32", "float16"):
        save(model, folder / store, store=store)  # type: ignore[arg-type]
    full, half = (psnr_of(load(folder / store), signal) for store in ("float32", "float16"))
    return full, half


@pytest.mark.parametrize("deviation", [0.0, 1e-5, 1e-4, 3e-4, 1e-3, 1e-2])
def test_auto_takes_what_costs_little(tmp_path: Path, deviation: float) -> None:
    model = made(cells((16, 12), 2, 3), NETWORKS[0])
    signal = with_noise(model, deviation)
    full, half = two_psnrs(model, signal, tmp_path)
    assert (full - half < 0.05) == (deviation > 1e-3)
    saved = save(model, tmp_path / "auto", store="auto", signal=signal)
    # What is nearly exact is not rounded to what is nothing beside noise.
    assert saved.store == ("compact" if deviation > 1e-5 else "float32")
    assert saved.psnr == psnr_of(load(tmp_path / "auto"), signal)
    assert saved.psnr == full or full - saved.psnr < 0.1
    if saved.store == "compact":
        assert saved.bytes < (tmp_path / "float16").stat().st_size


def test_auto_keeps_the_target(tmp_path: Path) -> None:
    model = made(cells((16, 12), 2, 3), NETWORKS[0])
    signal = with_noise(model, 1e-2)
    full, half = two_psnrs(model, signal, tmp_path)
    assert half < full
    for target in (full + 1, full, (full + half) / 2, half, full - 0.02, None):
        saved = save(model, tmp_path / "auto", store="auto", signal=signal, target=target)
        assert saved.psnr is not None
        assert target is None or target > full or saved.psnr >= target
        assert saved.psnr > full - 0.1
        assert saved.store == "compact" or (target is not None and full - target < 0.01)


def test_parameters_too_large_for_half_precision(tmp_path: Path) -> None:
    model = made(cells((5, 4)), TINY, dtype="uint8", span=(0.0, 255.0))
    model.parameters[0].weights[0][...] *= 1e6
    signal = Signal(render(model), model.signal)
    assert save(model, tmp_path / "auto", store="auto", signal=signal).store in ("compact", "float32")
    for compared in (None, signal):
        with pytest.raises(InputError, match="float16 can hold"):
            save(model, tmp_path / "half", store="float16", signal=compared)
    assert not (tmp_path / "half").exists()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("store", ["float32", "float16", "auto"])
def test_parameters_that_are_not_finite_are_not_saved(tmp_path: Path, bad: float, store: Any) -> None:
    model = made(cells((5, 4)), TINY)
    signal = with_noise(model, 0)
    model.parameters[0].weights[0][0] = bad
    with pytest.raises(InputError, match="not finite"):
        save(model, tmp_path / "model.inr", store=store, signal=signal)
    assert list(tmp_path.iterdir()) == []


def test_saving_needs_sensible_arguments(tmp_path: Path) -> None:
    model = made(cells((5, 4)), TINY)
    path = tmp_path / "model.inr"
    with pytest.raises(InputError, match="need the signal"):
        save(model, path, store="auto")
    with pytest.raises(InputError, match=r"must have the shape \(5, 4, 2\)"):
        save(model, path, signal=with_noise(made(cells((4, 5)), TINY), 0))
    with pytest.raises(InputError, match="folder"):
        save(model, tmp_path / "missing" / "model.inr")
    with pytest.raises(InputError, match="folder"):
        save(model, tmp_path)
    assert list(tmp_path.iterdir()) == []


# The header's summary


def test_the_summary_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "model.inr"
    model = made(cells((5, 4)), TINY)
    summary = {"steps": 600, "seconds": 1.5, "names": ["a", None, True], "text": 'quo"te \\ \n é 💡'}
    save(model, path, summary=summary)
    assert load_with_header(path)[1]["summary"] == summary
    saved = save(model, path, signal=with_noise(model, 0.01), summary=summary)
    assert load_with_header(path)[1]["summary"] == {**summary, "psnr": saved.psnr}


def test_a_summary_with_what_json_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "model.inr"
    model = made(cells((5, 4)), TINY)
    assert save(model, path, signal=with_noise(model, 0), summary={"loss": float("nan")}).psnr == float("inf")
    assert load_with_header(path)[1]["summary"] == {"loss": None, "psnr": None}
    save(model, path, summary={"input": os.fsdecode(b"caf\xe9.png"), "best": np.float64(2)})
    assert load_with_header(path)[1]["summary"] == {"input": "caf\\udce9.png", "best": 2.0}
    before = path.read_bytes()
    itself: dict[str, Any] = {}
    itself["itself"] = itself
    for bad in ({"a": object()}, {"a": {1, 2}}, itself):
        with pytest.raises(InputError, match="JSON"):
            save(model, path, summary=bad)
    with pytest.raises(InputError, match="shorten the summary"):
        save(model, path, summary={"text": "x" * (1 << 22)})
    assert path.read_bytes() == before


def test_zeros_in_the_summary_are_not_taken_for_the_checksum(tmp_path: Path) -> None:
    path = tmp_path / "model.inr"
    save(made(cells((5, 4)), TINY), path, summary={"zeros": "0" * 100})
    assert load_with_header(path)[1]["summary"] == {"zeros": "0" * 100}


# Damaged files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, Piecewise]:
    folder = tmp_path_factory.mktemp("whole")
    data = tiny_file(folder)
    return folder / "changed.inr", data, load(folder / "tiny.inr")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed_or_harmless(
    whole: tuple[Path, bytes, Piecewise], place: int, bit: int
) -> None:
    path, data, model = whole
    changed = bytearray(data)
    changed[place % len(data)] ^= 1 << bit
    path.write_bytes(changed)
    try:
        loaded = load(path)
    except InputError:
        return
    assert same(model, loaded)


@settings(max_examples=100)
@given(start=st.integers(0, 10**6), new=st.binary(min_size=1, max_size=40))
def test_so_is_any_overwritten_run(whole: tuple[Path, bytes, Piecewise], start: int, new: bytes) -> None:
    path, data, model = whole
    at = start % len(data)
    path.write_bytes((data[:at] + new + data[at + len(new) :])[: len(data)])
    try:
        loaded = load(path)
    except InputError:
        return
    assert same(model, loaded)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.inr"
    save(made(cells((1,), 1), TINY, channels=1), path)
    data = path.read_bytes()
    load(path)
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=r"not an .inr file|damaged"):
            load(path)


def test_more_bytes_than_were_written_are_refused(whole: tuple[Path, bytes, Piecewise]) -> None:
    path, data, _ = whole
    for more in (b"\0", b"\n", data):
        refused(path, data + more, "damaged")


# Foreign files


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "foreign.inr"
    random = np.random.default_rng(0)
    for data in (b"", b"\0", b"\0" * 8, b"\0" * 1000, b"Some text.\n" * 50, b"{}", b"[]", b"\xff" * 100):
        refused(path, data, "not an .inr file")
    for size in (7, 8, 9, 100, 10_000):
        refused(path, random.bytes(size), "not an .inr file")
    Image.new("RGB", (20, 10)).save(path, "png")
    refused(path, path.read_bytes(), "not an .inr file")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"partinr": ""}, {"partinr": "nonsense"}])
def test_an_ordinary_safetensors_file(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    tensors = {"weight": np.zeros((3, 4), np.float32)}
    refused(tmp_path / "x.inr", safetensors.numpy.save(tensors, metadata), "no partinr header")


@pytest.mark.parametrize(
    "header", ["[]", "null", "7", '{"__metadata__": 5}', '{"__metadata__": {"partinr": 5}}']
)
def test_other_json_where_the_header_should_be(tmp_path: Path, header: str) -> None:
    refused(tmp_path / "x.inr", len(header).to_bytes(8, "little") + header.encode(), "no partinr header")


def test_what_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "missing.inr")
    with pytest.raises(InputError, match="not a file"):
        load(tmp_path)
    with pytest.raises(InputError, match="cannot read"):
        load(tmp_path / ("x" * 5000))
    with pytest.raises(InputError, match="cannot read"):
        load("a\0b")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "pipe"])
def test_devices_and_pipes_do_not_hang(tmp_path: Path, device: str) -> None:
    if device == "pipe":
        device = str(tmp_path / "pipe")
        os.mkfifo(device)
    with pytest.raises(InputError, match="not a file"):
        load(device)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    tiny_file(tmp_path)
    (tmp_path / "tiny.inr").chmod(0)
    with pytest.raises(InputError, match="cannot read"):
        load(tmp_path / "tiny.inr")


def test_a_newer_version_says_so(tmp_path: Path) -> None:
    forged = taken_apart(tiny_file(tmp_path))
    for version in (2, 10**30):
        forged.fields["format"] = version
        refused(tmp_path / "x.inr", forged.bytes(), "upgrade partinr")
    # Whatever else a newer version may have.
    newer = Forgery({"format": 2, "quaternions": True}, {}, {})
    refused(tmp_path / "x.inr", newer.bytes(), "upgrade partinr")


# Writes that fail


@pytest.mark.parametrize("old", [b"old", None])
def test_a_disk_that_fills_up_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bytes | None
) -> None:
    path = tmp_path / "model.inr"
    if old is not None:
        path.write_bytes(old)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(made(cells((5, 4)), TINY), path)
    assert (path.read_bytes() if path.exists() else None) == old
    assert len(list(tmp_path.iterdir())) == (old is not None)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_write_that_stops_half_way(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "model.inr"
    save(made(cells((5, 4)), TINY), path)
    old = path.read_bytes()
    model = made(cells((50, 40), 25, 20), NETWORKS[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            save(model, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    for path in (Path("/dev/full"), tmp_path / "link"):
        if path.parent == tmp_path:
            path.symlink_to("/dev/full")
        with pytest.raises(InputError, match="not a regular file"):
            save(made(cells((5, 4)), TINY), path)
    assert Path("/dev/full").is_char_device()
