"""Folders of frames: read in the order of their numbers, at the rate that is said, or refused in one line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import partinr
from helpers import noise
from partinr import InputError
from partinr.signals.videos.frames import NOTES

FRAMES = noise((12, 6, 8), 3).values


def saved(folder: Path, names: list[str], values: np.ndarray = FRAMES) -> Path:
    folder.mkdir(exist_ok=True)
    for name, frame in zip(names, values, strict=False):
        Image.fromarray(frame).save(folder / name)
    return folder


def test_frames_follow_their_numbers(tmp_path: Path) -> None:
    folder = saved(tmp_path / "frames", [f"shot2-frame{n}.png" for n in range(1, 13)])
    (folder / ".hidden").write_text("no frame")
    film = partinr.read(folder, fps=24)
    assert np.array_equal(film.values, FRAMES)
    assert (film.spec.kind, film.spec.axes[0].spacing) == ("video", 1 / 24)  # type: ignore[index]
    part = partinr.read(folder, fps=24, start=2 / 24, stop=9 / 24, every=3)
    assert np.array_equal(part.values, FRAMES[2:9:3])
    assert part.spec.axes[0] == partinr.Axis("t", "s", 3 / 24, 2 / 24)  # type: ignore[index]
    assert np.array_equal(partinr.read(folder, picture=10).values, FRAMES[10])
    unsaid = partinr.read(folder)
    assert unsaid.spec.axes[0].spacing == 1 / 25  # type: ignore[index]
    assert "--fps" in unsaid.metadata[NOTES][0]
    assert not film.metadata[NOTES]


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".webp"])
def test_what_is_written_is_read(tmp_path: Path, suffix: str) -> None:
    film = partinr.from_array(FRAMES, kind="video", channels_last=True)
    partinr.write(tmp_path / f"frames/%04d{suffix}", FRAMES, film.spec)
    back = partinr.read(tmp_path / "frames")
    assert np.array_equal(back.values, FRAMES)
    assert back.spec.dtype == "uint8"


def test_deep_and_floating_point_frames(tmp_path: Path) -> None:
    deep = noise((3, 6, 8)).values[..., 0].astype(np.uint16) * 13
    film = partinr.read(saved(tmp_path / "deep", ["1.png", "2.png", "3.png"], deep))
    assert np.array_equal(film.values[..., 0], deep)
    assert (film.spec.value_range, film.spec.channel_axis) == ((0.0, 65535.0), False)
    real = deep.astype(np.float32)
    real[1, 2:4] = np.nan
    film = partinr.read(saved(tmp_path / "real", ["1.tif", "2.tif", "3.tif"], real))
    assert film.mask is not None
    assert np.array_equal(film.mask, ~np.isnan(real))
    assert np.array_equal(film.values[film.mask][:, 0], real[film.mask])
    assert film.spec.value_range == (np.nanmin(real), np.nanmax(real))


@pytest.mark.parametrize("numbers", [(0, 10, 20), (7,), (8, 9, 10, 11)])
def test_numbers_may_begin_and_step_as_they_like(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    folder = saved(tmp_path / "frames", [f"{n}.png" for n in numbers])
    assert np.array_equal(partinr.read(folder).values, FRAMES[: len(numbers)])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["f8.png", "f9.png", "f11.png"], "frames are missing between f9.png and f11.png"),
        (["f8.png", "f08.png", "f9.png"], "f08.png and f8.png have one number"),
        (["f8.png", "f9.jpg"], "one kind, got .jpg, .png"),
        (["f8.png", "f9.png", "notes.gif"], "1 other thing(s), such as 'notes.gif'"),
    ],
)
def test_what_is_no_sequence(tmp_path: Path, names: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        partinr.read(saved(tmp_path / "frames", names))
    assert said in str(caught.value)


def test_frames_that_are_not_alike(tmp_path: Path) -> None:
    folder = saved(tmp_path / "frames", ["1.png", "2.png"])
    Image.fromarray(FRAMES[2, 1:]).save(folder / "3.png")
    with pytest.raises(InputError, match=r"3\.png: all frames must have one size.*8 x 5 .* after 8 x 6"):
        partinr.read(folder)
    grey = saved(tmp_path / "grey", ["1.png", "2.png"], FRAMES[..., 0])
    Image.fromarray(FRAMES[2, ..., 0].astype(np.uint16)).save(grey / "3.png")
    with pytest.raises(InputError, match=r"3\.png: .*of uint16 after .*of uint8"):
        partinr.read(grey)
    (folder / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"damaged")
    with pytest.raises(InputError, match=re.escape(f"{folder / '3.png'}: ")):
        partinr.read(folder)
    partinr.write(folder / "3.png", FRAMES[2], partinr.from_array(FRAMES[2], kind="image").spec)
    for options, said in (
        ({"max_pixels": 100}, "a video may have at most 100 pixels, got 144"),
        ({"start": 5.0}, "0 to 0.12 seconds"),
        ({"picture": 3}, "--picture must be 0 to 2"),
        ({"fps": -1.0}, "--fps must be a positive number"),
    ):
        with pytest.raises(InputError, match=said):
            partinr.read(folder, **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="fps is for folders of frames"):
        partinr.read(folder / "1.png", fps=24)


def test_a_scan_beside_pictures_is_a_scan(tmp_path: Path) -> None:
    folder = saved(tmp_path / "scan", ["preview.png"])
    (folder / "slice").write_bytes(bytes(128) + b"DICM")
    with pytest.raises(InputError, match="DICOM"):
        partinr.read(folder)
