"""Sounds come back from files as they were: values, rate, channels and depth, by soundfile's reading."""

from __future__ import annotations

import contextlib
import io
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy import ndarray

from partinr import Axis, InputError, Signal, from_array, read, write
from partinr.signals import writable_format

RATE = 12_345
WHOLE = {"PCM_U8": "uint8", "PCM_16": "int16", "PCM_24": "int32", "PCM_32": "int32"}
RANGES = {
    "PCM_U8": (0.0, 255.0),
    "PCM_16": (-(2.0**15), 2.0**15 - 1),
    "PCM_24": (-(2.0**23), 2.0**23 - 1),
    "PCM_32": (-(2.0**31), 2.0**31 - 1),
    "FLOAT": (-1.0, 1.0),
    "DOUBLE": (-1.0, 1.0),
}


def waves(samples: int = 1001, channels: int = 1) -> ndarray:
    """All values of -0.9 to 0.9, with a tone."""
    noise = np.random.default_rng(0).uniform(-0.4, 0.4, (samples, channels))
    return noise + 0.5 * np.sin(np.arange(samples) / 7)[:, None]


def written(path: Path, subtype: str, channels: int = 1, samples: int = 1001, **options: Any) -> Path:
    soundfile.write(path, waves(samples, channels), RATE, subtype=subtype, **options)
    return path


def by_soundfile(path: Path, subtype: str) -> ndarray:
    """The values as soundfile decodes them, in steps of the depth."""
    kind = {"FLOAT": "float32", "DOUBLE": "float64"}.get(subtype, "int32")
    values, _ = soundfile.read(path, dtype=kind, always_2d=True)
    if subtype in WHOLE:
        values = values >> {"PCM_U8": 24, "PCM_16": 16, "PCM_24": 8, "PCM_32": 0}[subtype]
    return values + 128 if subtype == "PCM_U8" else values


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("subtype", RANGES)
def test_wav_comes_back(tmp_path: Path, subtype: str, channels: int) -> None:
    path = written(tmp_path / "a.wav", subtype, channels)
    sound = read(path)
    assert np.array_equal(sound.values, by_soundfile(path, subtype))
    spec = sound.spec
    assert (spec.kind, spec.shape, spec.channels) == ("sound", (1001,), channels)
    assert spec.channel_axis == (channels > 1)
    assert spec.value_range == RANGES[subtype]
    assert spec.axes == (Axis("t", "s", 1 / RATE),)
    assert spec.source["subtype"] == subtype
    write(tmp_path / "b.wav", sound.values, spec)
    again = soundfile.info(tmp_path / "b.wav")
    assert (again.samplerate, again.channels, again.frames, again.subtype) == (RATE, channels, 1001, subtype)
    assert np.array_equal(by_soundfile(tmp_path / "b.wav", subtype), sound.values)
    assert read(tmp_path / "b.wav").spec == spec


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_flac_comes_back(tmp_path: Path, subtype: str, channels: int) -> None:
    path = written(tmp_path / "a.flac", subtype, channels)
    sound = read(path)
    expected, _ = soundfile.read(path, dtype="int32", always_2d=True)
    bits = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}[subtype]
    assert np.array_equal(sound.values, expected >> (32 - bits))
    assert sound.spec.value_range == (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)
    write(tmp_path / "b.flac", sound.values, sound.spec)
    again = soundfile.info(tmp_path / "b.flac")
    assert (again.samplerate, again.channels, again.subtype) == (RATE, channels, subtype)
    assert np.array_equal(soundfile.read(tmp_path / "b.flac", dtype="int32", always_2d=True)[0], expected)


def test_8_bits_without_signs_and_with_them_are_the_same_sound(tmp_path: Path) -> None:
    sound = read(written(tmp_path / "a.wav", "PCM_U8"))
    write(tmp_path / "b.flac", sound.values, sound.spec)
    signed = read(tmp_path / "b.flac")
    assert np.array_equal(signed.values.astype(int), sound.values.astype(int) - 128)
    write(tmp_path / "c.wav", signed.values, signed.spec)
    assert np.array_equal(read(tmp_path / "c.wav").values, sound.values)


@pytest.mark.parametrize(
    ("container", "subtype", "dtype"),
    [
        ("OGG", "VORBIS", "float32"),
        ("OGG", "OPUS", "float32"),
        ("MP3", "MPEG_LAYER_III", "float32"),
        ("AIFF", "PCM_24", "int32"),
        ("RF64", "PCM_16", "int16"),
        ("W64", "DOUBLE", "float64"),
        ("CAF", "ALAC_16", "int16"),
        ("AU", "PCM_16", "int16"),
        ("WAV", "ULAW", "int16"),
        ("WAV", "IMA_ADPCM", "int16"),
    ],
)
def test_other_files_have_soundfiles_values(tmp_path: Path, container: str, subtype: str, dtype: str) -> None:
    # A name that says nothing: what a file is is seen from its first bytes.
    path = tmp_path / "sound"
    soundfile.write(path, waves(48_000, 2), 48_000, format=container, subtype=subtype)
    sound = read(path)
    expected, rate = soundfile.read(path, dtype=dtype, always_2d=True)
    assert sound.spec.dtype == dtype
    assert sound.spec.axes == (Axis("t", "s", 1 / rate),)
    assert np.array_equal(sound.values, expected >> 8 if subtype == "PCM_24" else expected)
    part = read(path, start=0.25, stop=0.5)
    assert part.shape == (12_000,)
    assert part.spec.axes == (Axis("t", "s", 1 / rate, 0.25),)
    if subtype not in ("MPEG_LAYER_III", "VORBIS", "OPUS", "IMA_ADPCM"):
        assert np.array_equal(part.values, sound.values[12_000:24_000])


def test_a_part_of_a_wav(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", "PCM_24", 2)
    whole, part = read(path), read(path, start=100 / RATE, stop=601 / RATE)
    assert np.array_equal(part.values, whole.values[100:601])
    assert part.spec.axes == (Axis("t", "s", 1 / RATE, 100 / RATE),)
    assert np.array_equal(read(path, start=0.05).values, whole.values[round(0.05 * RATE) :])
    for start, stop in ((1.0, None), (None, 0.0), (0.05, 0.05), (-0.1, None), (None, 2.0), (0.05, 0.02)):
        with pytest.raises(InputError, match=r"expected a part of 0 to 0\.0810"):
            read(path, start=start, stop=stop)
    np.save(tmp_path / "a.npy", np.eye(3))
    with pytest.raises(InputError, match="start and stop are for sounds"):
        read(tmp_path / "a.npy", stop=1.0)


def test_loud_floating_point_sounds_have_a_range_as_far_as_they_go(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5, -2.5, 1.0]), RATE, subtype="FLOAT")
    assert read(tmp_path / "a.wav").spec.value_range == (-2.5, 2.5)
    assert read(tmp_path / "a.wav", value_range=(-4, 4)).spec.value_range == (-4.0, 4.0)


def test_plain_wav_needs_no_other_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, odd = written(tmp_path / "a.wav", "PCM_24", 2), written(tmp_path / "odd.wav", "ULAW")
    flac = written(tmp_path / "a.flac", "PCM_16")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    sound = read(path)
    write(tmp_path / "b.wav", sound.values, sound.spec)
    assert np.array_equal(read(tmp_path / "b.wav").values, sound.values)
    for other in (odd, flac):
        with pytest.raises(InputError, match=r"pip install 'partinr\[sound\]'"):
            read(other)
    with pytest.raises(InputError, match=r"pip install 'partinr\[sound\]'"):
        write(tmp_path / "c.flac", sound.values, sound.spec)
    assert not (tmp_path / "c.flac").exists()


def test_loudspeakers_are_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", "PCM_16", 6)
    data = bytearray(path.read_bytes())
    at = data.index(b"fmt ") + 8
    if struct.unpack_from("<H", data, at)[0] != 0xFFFE:
        sound = read(path)
        write(path, sound.values, sound.spec)
        data = bytearray(path.read_bytes())
        at = data.index(b"fmt ") + 8
    struct.pack_into("<I", data, at + 20, 0x60F)
    path.write_bytes(data)
    sound = read(path)
    assert sound.spec.source["channel_mask"] == 0x60F
    write(tmp_path / "b.wav", sound.values, sound.spec)
    assert (tmp_path / "b.wav").read_bytes() == path.read_bytes()


def test_arrays_become_sounds(tmp_path: Path) -> None:
    values = (waves(500, 2) * 30_000).astype(np.int16)
    sound = from_array(values, kind="sound", axes=[Axis("t", "s", 1 / 8000)])
    assert (sound.shape, sound.channels) == ((500,), 2)
    write(tmp_path / "a.wav", sound.values, sound.spec)
    assert np.array_equal(soundfile.read(tmp_path / "a.wav", dtype="int16")[0], values)
    # A rendering of half the size has half the rate.
    write(tmp_path / "b.wav", sound.values[::2], sound.spec)
    assert soundfile.info(tmp_path / "b.wav").samplerate == 4000


def test_what_is_no_sound_has_no_rate_to_write(tmp_path: Path) -> None:
    array = from_array(np.zeros(9, np.float32))
    silent = from_array(np.zeros(9, np.int16), kind="sound")
    for signal in (array, silent, Signal(silent.values, replace(silent.spec, axes=(Axis("t", "ms"),)))):
        with pytest.raises(InputError, match=r"WAV holds sounds of 8 to 32 bits.*use \.npy, \.npz"):
            write(tmp_path / "a.wav", signal.values, signal.spec)
    deep = from_array(np.zeros(9, np.int32), kind="sound", axes=[Axis("t", "s", 1e-4)])
    with pytest.raises(InputError, match=r"FLAC holds sounds of 8 to 24 bits.*use \.wav"):
        writable_format(tmp_path / "a.flac", deep.shape, deep.spec)
    long = replace(deep.spec, shape=(2**30,))
    with pytest.raises(InputError, match="below 4 GiB"):
        writable_format(tmp_path / "a.wav", long.shape, long)


# Files that are damaged


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("WAV", "ULAW"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
        ("AIFF", "PCM_16"),
        ("RF64", "PCM_16"),
        ("W64", "PCM_16"),
        ("CAF", "PCM_16"),
        ("AU", "PCM_16"),
    ],
)
def test_truncated_files_are_refused(tmp_path: Path, container: str, subtype: str) -> None:
    whole = tmp_path / "whole"
    soundfile.write(whole, waves(96_000), 48_000, format=container, subtype=subtype)
    data = whole.read_bytes()
    for share in (0.95, 0.6, 0.1):
        cut = tmp_path / "cut"
        cut.write_bytes(data[: int(share * len(data))])
        with pytest.raises(InputError, match=r"truncated|damaged|at least one sample") as caught:
            read(cut)
        assert str(cut) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_what_is_there_of_a_truncated_file_can_be_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", "PCM_16", samples=5000)
    whole = read(path).values
    path.write_bytes(path.read_bytes()[:6044])
    with pytest.raises(InputError, match="truncated: expected 5,000 samples, got 3,000"):
        read(path)
    assert np.array_equal(read(path, stop=3000 / RATE).values, whole[:3000])


def chunk(name: bytes, data: bytes, length: int | None = None) -> bytes:
    return name + struct.pack("<I", len(data) if length is None else length) + data


def plain(**fields: int) -> bytes:
    """A format chunk."""
    told = {"coding": 1, "channels": 1, "rate": 8000, "frame": 2, "bits": 16} | fields
    packed = (told["coding"], told["channels"], told["rate"], 16_000, told["frame"], told["bits"])
    return chunk(b"fmt ", struct.pack("<HHIIHH", *packed))


SAMPLES = chunk(b"data", b"\1\0\2\0")
WRONG = {
    "nothing": b"",
    "no format": SAMPLES,
    "no data": plain(),
    "data first": SAMPLES + plain(),
    "short format": chunk(b"fmt ", b"\1\0\1\0") + SAMPLES,
    "no channels": plain(channels=0) + SAMPLES,
    "no rate": plain(rate=0) + SAMPLES,
    "no bits": plain(bits=0) + SAMPLES,
    "no frame": plain(frame=0) + SAMPLES,
    "frames that channels do not divide": plain(channels=3, frame=4) + SAMPLES,
    "samples of five bytes": plain(frame=5, bits=40) + chunk(b"data", bytes(10)),
    "half a sample": plain() + chunk(b"data", b"\1\0\2"),
    "no samples": plain() + chunk(b"data", b""),
    "more than there is": plain() + chunk(b"data", b"\1\0", 2**31),
    "a chunk beyond the end": chunk(b"LIST", b"", 2**31) + plain() + SAMPLES,
    "an unknown coding": plain(coding=0x1234) + SAMPLES,
    "floating point that is not a number": plain(coding=3, frame=4, bits=32)
    + chunk(b"data", b"\0\0\xc0\x7f"),
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_wrong_wav(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_odd_but_whole_wav(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    # Chunks of odd length are padded; a stream's length is not known when it begins.
    body = chunk(b"junk", b"abc") + b"\0" + plain() + chunk(b"data", b"\1\0\2\0", 0xFFFFFFFF)
    path.write_bytes(b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + body)
    assert read(path).values.ravel().tolist() == [1, 2]


def test_headers_that_promise_too_much(tmp_path: Path) -> None:
    """The header of a FLAC file of 2^36 - 1 samples and 8 channels, and a WAV above a limit."""
    flac = bytearray(written(tmp_path / "a.flac", "PCM_16").read_bytes())
    flac[20] |= 0x0E
    flac[21] |= 0x0F
    flac[22:26] = b"\xff" * 4
    (tmp_path / "b.flac").write_bytes(flac)
    with pytest.raises(InputError, match="--max-pixels"):
        read(tmp_path / "b.flac")
    path = written(tmp_path / "a.wav", "PCM_16", 6)
    with pytest.raises(InputError, match="a sound may have at most 2,001 samples, got 2,002"):
        read(path, max_pixels=2001)
    assert read(path, max_pixels=2002).shape == (1001,)
    assert read(path, max_pixels=200, stop=100 / RATE).shape == (100,)


@pytest.mark.parametrize("container", ["FLAC", "OGG", "MP3", "AIFF", "WAV"])
def test_noise_behind_a_good_beginning(tmp_path: Path, container: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, waves(5000), 44_100, format=container)
    random = np.random.default_rng(0)
    for first in (4, 12, 40, 100):
        data = bytearray(file.getvalue())
        data[first:] = random.bytes(len(data) - first)
        path = tmp_path / f"{first}"
        path.write_bytes(data)
        # Whatever it is taken for, nothing but one line comes of it.
        with contextlib.suppress(InputError):
            assert read(path).spec.kind == "sound"


def test_images_that_begin_like_sounds_are_images(tmp_path: Path) -> None:
    image = from_array(np.zeros((3, 4, 3), np.uint8), kind="image")
    write(tmp_path / "a.webp", image.values, image.spec)
    assert read(tmp_path / "a.webp").spec.kind == "image"
