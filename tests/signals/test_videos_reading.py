"""Videos and animations: values, times and colours as files have them, and files that cannot be read."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from moving import film, moving
from partinr import Axis, InputError, read


@pytest.mark.parametrize(
    ("pixels", "source", "high", "channels"),
    [
        ("bgr0", "rgb24", 255, 3),
        ("bgra", "rgba", 255, 4),
        ("gray", "gray", 255, 1),
        ("gray10le", "gray10le", 1023, 1),
        ("gbrp10le", "gbrp10le", 1023, 3),
        ("gbrp16le", "gbrp16le", 65535, 3),
    ],
)
def test_lossless_values_come_back(
    tmp_path: Path, pixels: str, source: str, high: int, channels: int
) -> None:
    values = moving(channels=channels)
    if high > 255:
        values = (values.astype(np.uint16) * high // 255).astype(np.uint16)
    shown = values[..., 0] if channels == 1 else values
    signal = read(film(tmp_path / "a.mkv", shown, pixels=pixels, source=source))
    np.testing.assert_array_equal(signal.values, values)
    assert (signal.spec.kind, signal.spec.value_range) == ("video", (0.0, float(high)))
    assert signal.spec.axes == (Axis("t", "s", 0.04), Axis("y"), Axis("x"))
    assert signal.metadata["notes"] == []


def test_what_is_not_values(tmp_path: Path) -> None:
    """Odd rates are exact in spite of times in milliseconds; flat pixels, sound and colours are told."""
    coding: dict[str, Any] = {"codec": "libx264", "pixels": "yuv444p", "aspect": Fraction(4, 3)}
    signal = read(film(tmp_path / "a.mkv", moving(), rate=Fraction(30000, 1001), sound=True, **coding))
    assert signal.spec.axes == (Axis("t", "s", 1001 / 30000), Axis("y"), Axis("x", "", 4 / 3))
    assert signal.metadata["notes"] == [
        "its sound is not kept",
        "pixels are 1.333 times as wide as high, which is kept",
    ]
    jpeg = read(film(tmp_path / "a.avi", moving(), codec="mjpeg", pixels="yuvj444p", qmin="1", qmax="1"))
    assert jpeg.spec.source["colour"] == {"range": "full", "matrix": "bt601"}
    assert np.abs(jpeg.values.astype(int) - moving()).mean() < 2


@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
def test_colours_are_what_the_matrix_says(tmp_path: Path, matrix: str) -> None:
    """A green whose luma differs by 30 between the matrices, in limited range."""
    green = np.zeros((2, 16, 16, 3), np.uint8)
    green[..., 1] = 200
    red, blue = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114)}[matrix]
    luma = (1 - red - blue) * 200
    planes = [16 + luma * 219 / 255, *(128 - luma * 112 / (255 * (1 - k)) for k in (blue, red))]
    frames = np.stack([np.broadcast_to(np.rint(p).astype(np.uint8), (2, 16, 16)) for p in planes], axis=1)
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1 if matrix == "bt709" else 6, 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="yuv444p")))
        container.mux(stream.encode())
    signal = read(path)
    assert signal.spec.source["colour"] == {"range": "limited", "matrix": matrix}
    assert np.abs(signal.values.astype(int) - green).max() <= 3


def test_parts_of_a_video(tmp_path: Path) -> None:
    values = moving(10)
    path = film(tmp_path / "a.mkv", values)
    part = read(path, start=0.08, stop=0.36, every=2)
    np.testing.assert_array_equal(part.values, values[2:9:2])
    assert part.spec.axes is not None
    assert part.spec.axes[0] == Axis("t", "s", 0.08, 0.08)
    one = read(path, picture=7)
    np.testing.assert_array_equal(one.values, values[7])
    assert (one.spec.kind, one.shape, one.spec.axes) == ("image", (16, 24), None)


def test_times_that_vary(tmp_path: Path) -> None:
    """A frame that is shown for three intervals is three samples; times without a rate are kept."""
    base, values = Fraction(1, 1000), moving()
    even = read(film(tmp_path / "a.mkv", values, times=[0, 40, 80, 200, 240, 280], base=base))
    np.testing.assert_array_equal(even.values, values[[0, 1, 2, 2, 2, 3, 4, 5]])
    assert even.spec.axes is not None
    assert even.spec.axes[0] == Axis("t", "s", 0.04)
    times = [0, 41, 90, 200, 247, 280]
    varied = read(film(tmp_path / "a.mkv", values, times=times, base=base))
    np.testing.assert_array_equal(varied.values, values)
    assert varied.spec.source["coordinates"]["t"] == {"values": [t / 1000 for t in times], "unit": "s"}
    assert "frame rate varies" in varied.metadata["notes"][0]


@pytest.mark.parametrize(
    ("numbers", "turn"),
    [
        ((0, 1, -1, 0), lambda v: np.rot90(v, -1, (1, 2))),
        ((-1, 0, 0, -1), lambda v: np.rot90(v, 2, (1, 2))),
        ((0, -1, 1, 0), lambda v: np.rot90(v, 1, (1, 2))),
        ((-1, 0, 0, 1), lambda v: v[:, :, ::-1]),
        ((0.7071, 0.7071, -0.7071, 0.7071), lambda v: v),
    ],
)
def test_turned_videos_are_upright(
    tmp_path: Path, numbers: tuple[float, ...], turn: Callable[[ndarray], ndarray]
) -> None:
    path = film(tmp_path / "a.mp4", moving(), codec="libx264", pixels="yuv444p", crf="0")
    flat, data = read(path).values, path.read_bytes()
    a, b, c, d = (int(n * 65536) for n in numbers)
    unit = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    at = data.index(unit, data.index(b"tkhd"))
    path.write_bytes(data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[at + 36 :])
    signal = read(path)
    np.testing.assert_array_equal(signal.values, turn(flat))
    assert "turned" in signal.metadata["notes"][0]


# --- animations ---------------------------------------------------------------------------------------------


def animation(path: Path, values: ndarray, durations: list[int], **options: Any) -> Path:
    first, *others = [Image.fromarray(v) for v in values]
    first.save(path, save_all=True, append_images=others, duration=durations, **options)
    return path


@pytest.mark.parametrize(("name", "options"), [("a.gif", {}), ("a.png", {}), ("a.webp", {"lossless": True})])
def test_animations_are_videos(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    """Nothing is cut to the first frame; equal frames, which writers put together, come apart again."""
    values = moving(5)
    values[3] = values[2]
    path = animation(tmp_path / name, values, [40, 40, 40, 40, 80], **options)
    signal = read(path)
    assert signal.spec.kind == "video"
    np.testing.assert_array_equal(signal.values, values[[0, 1, 2, 3, 4, 4]])
    assert signal.spec.axes is not None
    assert signal.spec.axes[0].spacing == pytest.approx(0.04)
    np.testing.assert_array_equal(read(path, every=2).values, values[[0, 2, 4]])
    assert read(path, start=0.04, stop=0.15).shape[0] == 3
    picture = read(path, picture=1)
    assert picture.spec.kind == "image"
    np.testing.assert_array_equal(picture.values, values[1])


def test_avif_and_grey_and_transparent_animations(tmp_path: Path) -> None:
    coded = read(animation(tmp_path / "a.avif", moving(), [40] * 6))
    assert (coded.spec.kind, coded.shape, coded.spec.source["format"]) == ("video", (6, 16, 24), "AVIF")
    grey = moving(channels=1)[..., 0]
    np.testing.assert_array_equal(read(animation(tmp_path / "a.png", grey, [40] * 6)).values[..., 0], grey)
    clear = moving(channels=4)
    clear[1, :4] = 0
    np.testing.assert_array_equal(read(animation(tmp_path / "b.png", clear, [40] * 6)).values, clear)


def test_files_of_several_pictures_are_asked_about(tmp_path: Path) -> None:
    """Cameras put a preview behind the picture; other programs put several pictures together."""
    first, second = (Image.fromarray(v) for v in moving(2))
    first.save(tmp_path / "a.mpo", save_all=True, append_images=[second])
    assert read(tmp_path / "a.mpo").shape == (16, 24)
    assert "--picture N" in read(tmp_path / "a.mpo").metadata["notes"][0]
    assert (read(tmp_path / "a.mpo", picture=1).values != read(tmp_path / "a.mpo").values).any()


# --- what cannot be read ------------------------------------------------------------------------------------


def refused(path: Path, message: str, **options: Any) -> None:
    with pytest.raises(InputError, match=message):
        read(path, **options)


def test_parts_that_are_not_there(tmp_path: Path) -> None:
    film(tmp_path / "a.mkv", moving())
    animation(tmp_path / "a.gif", moving(), [100] * 6)
    Image.fromarray(moving()[0]).save(tmp_path / "a.png")
    for name in ("a.mkv", "a.gif"):
        refused(tmp_path / name, "--picture must be 0 to 5, got 6", picture=6)
        refused(tmp_path / name, "expected a part of 0 to .* seconds that is not empty", start=9.0)
        refused(tmp_path / name, "leave out --start", start=0.1, picture=1)
        refused(tmp_path / name, "every must be at least 1", every=0)
    refused(tmp_path / "a.png", "is no animation", every=2)
    np.save(tmp_path / "a.npy", moving()[0])
    refused(tmp_path / "a.npy", "every and picture are for videos and pages", picture=0)


def test_bombs_are_refused_by_their_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mp4", moving(), codec="libx264", pixels="yuv444p")
    animated = animation(tmp_path / "a.gif", moving(), [40] * 6)
    monkeypatch.setattr(np, "empty", lambda *_, **__: pytest.fail("memory was taken"))
    for file in (path, animated):
        refused(
            file, r"at most 2,000 pixels, got 2,304 \(6 x 16 x 24\); .*--max-pixels 2304", max_pixels=2000
        )


def test_more_frames_than_were_promised_are_refused_as_they_come(tmp_path: Path) -> None:
    raw = film(tmp_path / "a.y4m", moving(12), codec="wrapped_avframe", pixels="yuv444p")
    refused(raw, "a video may have at most 2,000 pixels", max_pixels=2000)
    assert read(raw).shape == (12, 16, 24)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif", "a.png", "a.webp"])
def test_truncated_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(("mp4", "mkv")):
        codec = {"codec": "libx264", "pixels": "yuv444p"} if name.endswith("mp4") else {}
        film(path, moving(), **codec)  # type: ignore[arg-type]
    else:
        animation(path, moving(), [40] * 6)
    data = path.read_bytes()
    for share in (0.5, 0.99):
        path.write_bytes(data[: int(len(data) * share)])
        refused(path, "truncated|cannot be decoded")


def test_files_without_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        wave.sample_rate = 8000
        container.mux(stream.encode(wave))
        container.mux(stream.encode())
    refused(path, r"expected a video, got a file without pictures that move \(audio\)")
    (tmp_path / "b.mkv").write_bytes(b"\x1aE\xdf\xa3" + bytes(100))
    refused(tmp_path / "b.mkv", "cannot be decoded as a video")


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mkv", moving())
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    refused(path, r"videos are read by PyAV; pip install 'partinr\[video\]'")
