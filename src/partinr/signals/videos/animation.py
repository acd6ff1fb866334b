"""Animated pictures: GIF, WebP, APNG, AVIF and what else Pillow plays; the first three are written."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped
from partinr.signals.decoding import check_pixels, oriented
from partinr.signals.pillow import ORIENTATION, image_values
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.videos.clip import Clip
from partinr.signals.videos.frames import Frame, Frames, one_frame, video_signal
from partinr.signals.videos.timing import aspect_of, frame_times, timing
from partinr.signals.videos.whole import check_whole

if TYPE_CHECKING:
    from PIL import Image

ANIMATED = ("GIF", "WEBP", "PNG", "AVIF", "FLI")
"""Formats of Pillow's whose frames follow each other in time."""

SINGLE = ("MPO", "PSD")
"""Formats whose first picture is the picture, and the others belong to it: views or previews, and layers."""

# What browsers take a time of none for, in seconds, and the parts of a second in which files count.
_UNSAID = 0.1
_TICKS: dict[str, float] = {"GIF": 0.01, "WEBP": 0.001, "PNG": 1e-6, "AVIF": 0.001, "FLI": 0.001}

# Least time of a frame, in seconds; browsers slow those of GIF that are shorter down to a tenth of one.
_FASTEST = {"GIF": 0.02, "WEBP": 0.001, "PNG": 0.001}


def read_animation(
    path: Path,
    image: Image.Image,
    clip: Clip,
    *,
    value_range: tuple[float, float] | None,
    max_pixels: int | None,
) -> Signal:
    """The frames of an animated picture, each as it is seen, turned as its EXIF orientation says.

    Colours are as for `read_image`, with alpha if any frame has some.

    Args:
        path: the file.
        image: it, opened by Pillow.
        clip: which frames; one frame alone is a picture.
        value_range: lowest and highest possible value.
        max_pixels: greatest number of pixels of all frames, checked before any is decoded.

    Raises:
        InputError: the file is truncated or damaged, has no frame in the part, or more than the limit.
    """
    form, count = str(image.format), int(getattr(image, "n_frames", 1))
    # A picture for programs that know no animations comes first.
    hidden = 1 if getattr(image, "default_image", False) else 0
    shown = count - hidden
    room = 1 if clip.picture is not None or clip.timed else shown
    check_pixels(path, (room, image.height, image.width), max_pixels, "video")
    if clip.stop is None:
        check_whole(path)
    turn = image.getexif().get(ORIENTATION)
    frames, times, notes = Frames(path, room, max_pixels), [], []
    time, end, unsaid = 0.0, 0.0, False
    for number in range(shown):
        image.seek(number + hidden)
        values = image_values(image)
        lasts = float(image.info.get("duration") or 0) / 1000
        unsaid |= lasts <= 0
        lasts = lasts if lasts > 0 else _UNSAID
        wanted = number == clip.picture if clip.picture is not None else not clip.before(time)
        if clip.after(time):
            break
        if wanted:
            frames.add(oriented(_of_colour(values), turn))
            times.append(time)
        end = time = time + lasts
        if wanted and clip.picture is not None:
            break
    if not times:
        raise clip.nothing(path, shown, time)
    values = _as_seen(frames.values, image)
    if clip.picture is not None:
        metadata = {"format": form, "frames": shown}
        return one_frame(values[0], value_range=value_range, metadata=metadata)
    if unsaid:
        notes.append("frames without a time of their own are shown for a tenth of a second, as browsers do")
    return video_signal(
        path,
        values,
        timing(times, end, tick_of(form)),
        every=clip.step,
        value_range=value_range,
        max_pixels=max_pixels,
        source={"format": form},
        notes=notes,
    )


def _of_colour(values: Frame) -> Frame:
    """With all the channels that a later frame may have: 8 bits become RGBA, so that frames are alike."""
    if values.dtype != np.uint8:
        return values
    values = values[..., None] if values.ndim == 2 else values
    colours, alpha = (values[..., :-1], values[..., -1:]) if values.shape[-1] in (2, 4) else (values, None)
    if alpha is None:
        alpha = np.full((*values.shape[:2], 1), 255, np.uint8)
    return np.concatenate([np.broadcast_to(colours, (*values.shape[:2], 3)), alpha], axis=-1)


def _as_seen(values: Frame, image: Image.Image) -> Frame:
    """Without the channels that say nothing: alpha where nothing is transparent, colours of grey files."""
    if values.dtype != np.uint8:
        return values
    grey = image.mode in ("1", "L", "LA")
    opaque = bool((values[..., 3] == 255).all())
    if grey:
        return values[..., 0] if opaque else values[..., [0, 3]]
    return np.ascontiguousarray(values[..., :3]) if opaque else values


def ask(path: Path, count: int, what: str) -> InputError:
    """What to say of a file of several pictures that are neither a stack nor an animation."""
    return InputError(
        f"{path}: holds {count} {what}, which are no animation and no stack; name one of them by --picture N "
        f"(in Python picture=N), 0 to {count - 1}"
    )


def animation(
    form: str, **options: object
) -> Callable[[BinaryIO, Iterable[Shaped[ndarray, "..."]], tuple[int, ...], SignalSpec], None]:
    """What writes animated pictures of a format of Pillow's, with its options."""

    def write_animation(
        file: BinaryIO, slabs: Iterable[Shaped[ndarray, "..."]], shape: tuple[int, ...], spec: SignalSpec
    ) -> None:
        from PIL import Image

        times, end = frame_times(spec, shape)
        ends, tick = np.append(times, end), tick_of(form)
        # Each time is rounded for itself, so that they do not run away. PNG has fractions.
        rounded = ends if tick == _TICKS["PNG"] else np.rint(ends / tick) * tick
        durations = np.diff(rounded) * 1000
        frames = (values[..., 0] if spec.channels == 1 else values for slab in slabs for values in slab)
        first, *others = [Image.fromarray(np.ascontiguousarray(values)) for values in frames]
        encoded = io.BytesIO()
        first.save(
            encoded,
            form,
            save_all=True,
            append_images=others,
            duration=[float(d) if form == "PNG" else round(d) for d in durations],
            loop=0,
            **options,
        )
        # Pillow hides from the encoder's caller why a write to a real file failed, a full disk for one.
        file.write(encoded.getbuffer())

    return write_animation


def tick_of(form: str) -> float:
    """What the times of a format are whole numbers of, in seconds, or as good as."""
    from PIL import __version__

    # Before 12.1, Pillow writes no fractions.
    whole = form == "PNG" and tuple(int(part) for part in __version__.split(".")[:2]) < (12, 1)
    return 0.001 if whole else _TICKS[form]


def animation_holds(form: str) -> Callable[[tuple[int, ...], SignalSpec], bool]:
    """Whether a format can show frames as fast as a video of this shape and spec has them, and as wide."""

    def holds(shape: tuple[int, ...], spec: SignalSpec) -> bool:
        times, end = frame_times(spec, shape)
        fast = bool(np.diff(np.append(times, end)).min() < _FASTEST[form] - 1e-6)
        return not fast and aspect_of(spec, shape) == 1

    return holds
