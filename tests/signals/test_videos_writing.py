"""Videos that are written: what comes back when they are read, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

from moving import moving
from partinr import Axis, InputError, Signal, from_array, read, write
from partinr.signals.metrics import psnr
from partinr.signals.videos.animation import tick_of


def video(values: ndarray, spacing: float = 0.04, aspect: float = 1.0, **options: Any) -> Signal:
    axes = [Axis("t", "s", spacing), Axis("y"), Axis("x", "", aspect)]
    return from_array(values, channels_last=True, kind="video", axes=axes, **options)


def again(path: Path, signal: Signal) -> Signal:
    write(path, signal.values, signal.spec)
    return read(path)


@pytest.mark.parametrize("spacing", [0.04, 1001 / 30000])
@pytest.mark.parametrize("name", ["a.mkv", "a.gif", "a.webp", "a.apng"])
def test_lossless_files_have_every_value_and_time(tmp_path: Path, name: str, spacing: float) -> None:
    """GIF counts in hundredths of a second, WebP in thousandths; frames that are equal are still there."""
    values = moving(8)
    values[5] = values[4]
    found = again(tmp_path / name, video(values, spacing))
    np.testing.assert_array_equal(found.values, values)
    tick = {"a.gif": 0.01, "a.webp": 0.001, "a.apng": tick_of("PNG")}.get(name, 0.0)
    assert found.spec.axes is not None
    assert found.spec.axes[0].spacing == pytest.approx(spacing, abs=tick / 8 + 1e-9)


@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (8, 4), (10, 3), (10, 1), (12, 3), (16, 3)])
def test_matroska_has_every_depth(tmp_path: Path, bits: int, channels: int) -> None:
    values = moving(channels=channels)
    if bits > 8:
        values = (values.astype(np.uint16) << (bits - 8)) + 1
    found = again(tmp_path / "a.mkv", video(values, value_range=(0, 2**bits - 1)))
    np.testing.assert_array_equal(found.values, values)
    assert found.spec.value_range == (0.0, 2.0**bits - 1)


@pytest.mark.parametrize(("name", "rows"), [("a.mp4", 64), ("a.mp4", 63), ("a.mov", 64), ("a.webm", 64)])
def test_films_are_close_and_on_time(tmp_path: Path, name: str, rows: int) -> None:
    """Smooth colours, as halved ones lose sharp ones; odd numbers of rows are as they were."""
    t, y, x = np.ogrid[:6, :rows, :96]
    waves = [np.sin(x / 15 + t / 3 + c) * np.cos(y / 12 - c) for c in range(3)]
    values = np.rint(127 + 100 * np.stack(np.broadcast_arrays(*waves), axis=-1)).astype(np.uint8)
    found = again(tmp_path / name, video(values, 1001 / 24000))
    assert psnr(values, found.values, 255) > 43
    assert found.spec.axes is not None
    assert found.spec.axes[0].spacing == pytest.approx(1001 / 24000, abs=1e-7)
    assert found.spec.source["colour"] == {"range": "limited", "matrix": "bt601"}


def test_colours_and_pixels_are_told_again(tmp_path: Path) -> None:
    told = {"range": "full", "matrix": "bt709", "primaries": 1, "transfer": 1}
    signal = video(moving(), aspect=4 / 3)
    values, spec = signal.values, signal.spec
    from dataclasses import replace

    found = again(tmp_path / "a.mp4", replace(signal, spec=replace(spec, source={"colour": told})))
    assert found.spec.source["colour"] == told
    assert found.spec.axes is not None
    assert found.spec.axes[2].spacing == pytest.approx(4 / 3)
    # Half as many columns are twice as wide.
    write(tmp_path / "b.mp4", values[:, :, ::2], spec.resampled((6, 16, 12)))
    half = read(tmp_path / "b.mp4")
    assert half.spec.axes is not None
    assert half.spec.axes[2].spacing == pytest.approx(8 / 3, rel=1e-3)


def test_times_that_vary_are_written_again(tmp_path: Path) -> None:
    from dataclasses import replace

    times = [0.0, 0.041, 0.09, 0.2, 0.247, 0.28]
    spec = video(moving()).spec
    source = {"coordinates": {"t": {"values": times, "unit": "s"}}}
    spec = replace(spec, axes=(Axis("t"), Axis("y"), Axis("x")), source=source)
    write(tmp_path / "a.mkv", moving(), spec)
    assert read(tmp_path / "a.mkv").spec.source["coordinates"]["t"]["values"] == times
    # Between the frames there are times between theirs.
    write(tmp_path / "b.mkv", np.repeat(moving(), 2, axis=0), spec.resampled((12, 16, 24)))
    found = read(tmp_path / "b.mkv").spec.source["coordinates"]["t"]["values"]
    np.testing.assert_allclose(found[::2], times, atol=1e-3)


def test_a_folder_of_frames(tmp_path: Path) -> None:
    folder, signal = tmp_path / "frames", video(moving())
    pattern = folder / "%04d.png"
    write(pattern, signal.values, signal.spec)
    assert [file.name for file in sorted(folder.iterdir())] == [f"{i:04}.png" for i in range(1, 7)]
    np.testing.assert_array_equal(read(folder / "0003.png").values, signal.values[2])
    # Fewer frames take the place of all that were there, but of nothing else.
    write(pattern, signal.values[:2], signal.spec)
    assert len(list(folder.iterdir())) == 2
    (folder / "mine.txt").touch()
    with pytest.raises(InputError, match="the folder has other things in it"):
        write(pattern, signal.values, signal.spec)
    with pytest.raises(InputError, match="JPEG holds 8-bit pictures of 1 or 3 channels"):
        write(tmp_path / "b" / "%d.jpg", moving(channels=4), video(moving(channels=4)).spec)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["frames"]


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "frames/%d.png"])
def test_failed_writes_leave_nothing(tmp_path: Path, name: str) -> None:
    def broken() -> Any:
        yield moving()[:2]
        raise KeyboardInterrupt

    from partinr.signals.writing import write_slabs

    spec = video(moving()).spec
    with pytest.raises(KeyboardInterrupt):
        write_slabs(tmp_path / name, broken(), (6, 16, 24), spec)
    assert list(tmp_path.iterdir()) == []


def test_what_formats_do_not_hold(tmp_path: Path) -> None:
    for name, signal, message in (
        ("a.gif", video(moving(), 1 / 60), "at most 50 frames a second.*use .*.mp4"),
        ("a.mkv", video(moving(), aspect=2), "of square pixels.*use .*.mp4"),
        ("a.webp", video(moving(), aspect=2), "use .*.mp4"),
        (
            "a.mp4",
            video(moving(channels=4)),
            "MP4 holds videos of .* and 1 or 3 channels.*use .*.mkv",
        ),
        ("a.png", video(moving()), "PNG holds .*use .*.mp4"),
    ):
        with pytest.raises(InputError, match=message):
            write(tmp_path / name, signal.values, signal.spec)
    assert list(tmp_path.iterdir()) == []
