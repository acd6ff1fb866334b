"""Compact files are what docs/format.md says, and nothing of a damaged one is believed."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data

import compact_reader
import fuzz
from forging import refused, same
from inr_reader import Reader
from models import NETWORKS, cells, made, scattered
from partinr import (
    Compact,
    InputError,
    Network,
    Partition,
    Signal,
    fit,
    from_array,
    load,
    psnr,
    render,
    save,
)
from partinr.file.compact import DICTIONARY, MAGIC, is_compact, packed, unpacked
from partinr.file.numbers import read_number, written_number
from partinr.model import kernel
from partinr.model.rendering import Quality

Kind = Callable[..., Partition]
native = pytest.mark.skipif(kernel.why_missing() is not None, reason="the kernel writes cosines")
FIELDS = {"signal": {"shape": [3]}, "coding": "spectra"}


def coded(shape: tuple[int, ...], folder: Path, psnr: float = 30.0, dtype: str = "float32") -> bytes:
    """A file of cosines; the last axis of three channels if it is 3."""
    values = np.random.default_rng(0).normal(0, 1, shape).cumsum(axis=0)
    values = (values - values.min()) / np.ptp(values) if values.size > 1 else values
    array = (values * 200).astype(np.uint8) if dtype == "uint8" else values.astype(np.float32)
    save(fit(array, goal=Compact(psnr=psnr)).model, folder / "coded.inr", store="compact")
    return (folder / "coded.inr").read_bytes()


@native
@pytest.mark.parametrize("shape", [(40,), (1, 1), (19, 22), (9, 17, 3), (7, 6, 5)])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_files_of_cosines_by_the_page(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    reader = Reader(coded(shape, tmp_path, dtype=dtype))
    model = load(tmp_path / "coded.inr")
    expected, got = render(model).astype(float), reader.render().astype(float)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1 if dtype == "uint8" else 2e-6)
    # Groups by frequencies, or one of all: the same parameters.
    m = reader.header["networks"][0]["frequencies"]
    dims = model.signal.dims
    for region in range(model.regions):
        g = int(model.structure.group_of[region])
        place = model.structure.members[g].tolist().index(region)
        own = model.parameters[g].weights[0][place], model.parameters[g].biases[0][place]
        k = model.networks[g].config()["frequencies"]
        whole = np.zeros((*(m,) * dims, model.signal.channels), np.float32)
        whole[(slice(0, k),) * dims] = np.concatenate([own[1][None], own[0]]).reshape(*(k,) * dims, -1)[
            (slice(0, m),) * dims
        ]
        flat = whole.reshape(m**dims, -1)
        assert np.array_equal(flat[1:], reader.tensors["groups.0.weights.0"][region])
        assert np.array_equal(flat[0], reader.tensors["groups.0.biases.0"][region])


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
@pytest.mark.parametrize("kind", [cells, scattered])
@pytest.mark.parametrize("several", [False, True])
def test_files_of_parameters_by_the_page(tmp_path: Path, network: Network, kind: Kind, several: bool) -> None:
    shape = (9, 7)
    if several and network.solved:
        pytest.skip("a function that is solved has no trained networks beside it")
    if network.kernel(2) is None and (several or kind is scattered):
        pytest.skip("torch is slow with what is so small; once is enough")
    networks: list[Network] = [network, NETWORKS[0], NETWORKS[4]] if several else [network]
    model = made(kind(shape), networks, "local")
    noise = np.random.default_rng(0).normal(0, 0.1, model.signal.array_shape).astype(np.float32)
    signal = Signal(render(model) + noise, model.signal)
    save(model, tmp_path / "model.inr", store="compact", signal=signal)
    again, reader = load(tmp_path / "model.inr"), Reader((tmp_path / "model.inr").read_bytes())
    for name, array in again.named_parameters().items():
        assert np.array_equal(reader.tensors[name], array)
    assert np.array_equal(reader.labels, again.partition.label_map)
    if several:
        assert reader.tensors["group_of"].tolist() == again.structure.group_of.tolist()


def test_the_dictionary_is_that_of_the_page() -> None:
    assert compact_reader.BEFORE.encode() == DICTIONARY
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    block = page.split("bytes had been deflated before it")[1].split("```text\n")[1].split("```")[0]
    assert block.replace("\n", "").encode() == DICTIONARY


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**14 - 1, 2**14, 2**63 - 1])
def test_numbers(value: int) -> None:
    payload = b"ab" + written_number(value) + b"c"
    assert read_number(payload, 2) == (value, len(payload) - 1)
    with pytest.raises(InputError, match="does not end"):
        read_number(payload[:-2], 2)


def test_a_number_that_goes_on() -> None:
    with pytest.raises(InputError, match="does not end"):
        read_number(bytes([255] * 20), 0)


@pytest.mark.parametrize("sections", [[b""], [b"a"], [b"", b"bc"], [b"x" * 300, b"", b"y"]])
def test_what_is_packed_is_unpacked(sections: list[bytes]) -> None:
    payload = packed(FIELDS, sections)
    assert is_compact(payload)
    assert unpacked(payload) == (FIELDS, sections)


def resealed(body: bytes) -> bytes:
    return MAGIC + b"\2" + hashlib.sha256(body).digest()[:8] + body


def deflated(text: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    return deflater.compress(text) + deflater.flush()


def headed(header: bytes, rest: bytes = b"\1") -> bytes:
    return resealed(written_number(len(header)) + header + rest)


@pytest.mark.parametrize(
    ("payload", "match"),
    [
        (b"\x89INR", "beginning of one"),
        (MAGIC + b"\3" + bytes(30), "version 3"),
        (MAGIC + b"\2" + bytes(30), "checksum"),
        (resealed(b"\x90\x90"), "number"),
        (resealed(b"\x50abc"), "header is cut short"),
        (headed(b"\xff\xff"), "cannot be read"),
        (headed(deflated(b"{}")[:-1]), "single JSON object"),
        (headed(deflated(b"{}") + b"x"), "single JSON object"),
        (headed(deflated(b"[]")), "single JSON object"),
        (headed(deflated(b"{} {}")), "cannot be read"),
        (headed(deflated(b'{"a":1,"a":2}')), "cannot be read"),
        (headed(deflated(b"\xff")), "cannot be read"),
        (headed(deflated(b"[" * 100_000)), "cannot be read"),
        (headed(deflated(b'{"a":"' + b"x" * 5_000_000 + b'"}')), "damaged"),
        (headed(deflated(b"{}"), b"\0"), "sections"),
        (headed(deflated(b"{}"), b"\x11"), "sections"),
        (headed(deflated(b"{}"), b"\2\5abcd"), "section is cut short"),
        (headed(deflated(b"{}"), b"\1abcd"), "signal must be"),
    ],
)
def test_forged_files(tmp_path: Path, payload: bytes, match: str) -> None:
    refused(tmp_path / "forged.inr", payload, match)


@native
def test_every_byte_and_every_length_counts(tmp_path: Path) -> None:
    whole = coded((12, 9), tmp_path)
    path = tmp_path / "coded.inr"
    for length in range(len(whole)):
        refused(path, whole[:length])
        changed = bytearray(whole)
        changed[length] ^= 1 + length % 255
        refused(path, bytes(changed))
    refused(path, whole + b"\0")


@native
def test_a_coded_signal_of_too_many_values(tmp_path: Path) -> None:
    found = unpacked(coded((12, 9), tmp_path))
    for shape, channels in (([2**20, 2**20], 1), ([2**32 - 1], 1), ([1000, 1000], 2**20), ([1], 2**32 - 1)):
        signal = {**found.fields["signal"], "shape": shape, "channels": channels, "channel_axis": True}
        forged = packed({**found.fields, "signal": signal}, found.sections)
        refused(tmp_path / "large.inr", forged, "max_samples")


@native
def test_damage_of_all_kinds(tmp_path: Path) -> None:
    """`tests/fuzz.py` does it a hundred thousand times."""
    files, pick = fuzz.seeds(), random.Random(1)
    came = [fuzz.outcome(fuzz.damaged(pick, files), tmp_path / "damaged.inr") for _ in range(120)]
    assert set(came) == {"refused", "a function"}
    assert {fuzz.outcome(file, tmp_path / "whole.inr") for file in files} == {"a function"}


@native
def test_without_the_kernel_files_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coded((11, 13, 3), tmp_path)
    model = load(tmp_path / "coded.inr")
    monkeypatch.setattr(kernel, "why_missing", lambda: "left out")
    assert same(load(tmp_path / "coded.inr"), model)


def test_what_is_saved_is_what_was_fitted_or_its_psnr_is_said(tmp_path: Path) -> None:
    signal = from_array(skimage.data.astronaut()[::4, ::4], kind="image")
    result = fit(signal, goal=Compact(psnr=36))
    path = tmp_path / "a.inr"
    assert save(result.model, path).store == "compact"
    np.testing.assert_array_equal(render(load(path)), render(result.model))
    saved = save(result.model, path, store="float32", signal=signal, measured=Quality(result.psnr, 1.0))
    assert saved.psnr == pytest.approx(psnr(signal.values, render(load(path)), 255.0), abs=1e-9)
    assert saved.psnr < result.psnr
