"""Videos that PyAV writes, and folders of frames."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.files import atomic_folder, check_replaceable
from partinr.shapes import Float64, Shaped
from partinr.signals.signal import SignalSpec
from partinr.signals.videos.timing import DENOMINATOR, aspect_of, frame_times
from partinr.signals.videos.video import FINE, HIGH_ROWS, MATRICES, RANGES, SCALER, need_av

# Units of a second in which uneven times are written.
_FINE = 90_000
_PATTERN = re.compile(r"%(0?)([1-9]?)d")


@dataclass(frozen=True)
class Coding:
    """How a container's pictures are coded.

    Attributes:
        container: FFmpeg's name.
        codec: likewise.
        lossless: whether values come back as they are.
        options: of the codec.
        flat: whether pixels may be wider than high: whether PyAV can say so in this container.
        bits: that a sample may have.
    """

    container: str
    codec: str
    lossless: bool = False
    options: Mapping[str, str] = field(default_factory=dict, hash=False)
    flat: bool = False
    bits: tuple[int, ...] = (8,)


# Errors of 43 dB in RGB beside those of the function, most of them from colours of half the resolution.
H264 = {"crf": "10", "preset": "medium"}
VP9 = {"crf": "10", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}

MP4 = Coding("mp4", "libx264", options=H264, flat=True, bits=(8, 10))
MOV = Coding("mov", "libx264", options=H264, flat=True, bits=(8, 10))
WEBM = Coding("webm", "libvpx-vp9", options=VP9)
MKV = Coding("matroska", "ffv1", True, {"level": "3", "slicecrc": "1"}, bits=(8, 10, 12, 16))


def film(
    coding: Coding,
) -> Callable[[BinaryIO, Iterable[Shaped[ndarray, "..."]], tuple[int, ...], SignalSpec], None]:
    """What writes a container of one coding."""

    def write_film(
        file: BinaryIO, slabs: Iterable[Shaped[ndarray, "..."]], shape: tuple[int, ...], spec: SignalSpec
    ) -> None:
        av = need_av("videos are written")
        if coding.codec not in av.codecs_available:
            raise InputError(f"this PyAV has no encoder {coding.codec}; write .mkv, or frames/%04d.png")
        times, end = frame_times(spec, shape)
        rate, base, ticks = _clock(times, end)
        pixels = _pixels(coding, shape, spec)
        with av.open(file, "w", format=coding.container) as container:
            stream = container.add_stream(coding.codec, rate=rate, options=dict(coding.options))
            stream.height, stream.width, stream.pix_fmt = shape[1], shape[2], pixels.format
            stream.time_base = stream.codec_context.time_base = base
            _describe(stream.codec_context, pixels, shape, spec)
            number = 0
            for slab in slabs:
                for values in slab:
                    frame = pixels.frame(av, values)
                    frame.pts, frame.time_base = int(ticks[number]), base
                    container.mux(stream.encode(frame))
                    number += 1
            container.mux(stream.encode())

    return write_film


def film_holds(coding: Coding) -> Callable[[tuple[int, ...], SignalSpec], bool]:
    """Whether a container holds a video of this shape and spec."""

    def holds(shape: tuple[int, ...], spec: SignalSpec) -> bool:
        bits = bits_of(spec)
        alpha = spec.channels == 4 and bits > 8
        return bits in coding.bits and not alpha and (coding.flat or aspect_of(spec, shape) == 1)

    return holds


def bits_of(spec: SignalSpec) -> int:
    """Bits of a sample; 0 of 16 where the value range is not that of so many or fewer."""
    if spec.dtype == "uint8":
        return 8
    low, high = spec.value_range
    bits = int(high + 1).bit_length() - 1
    return bits if low == 0 and high == 2**bits - 1 and bits <= 16 else 0


def _clock(times: Float64[ndarray, "frames"], end: float) -> tuple[Fraction, Fraction, Any]:
    """Rate, time base, and the times of frames in its units."""
    rate = Fraction(len(times) / end).limit_denominator(DENOMINATOR)
    if rate > 0 and np.abs(times * float(rate) - np.arange(len(times))).max() < 1e-3:
        return rate, 1 / rate, np.arange(len(times))
    return max(rate, Fraction(1, DENOMINATOR)), Fraction(1, _FINE), np.rint(times * _FINE).astype(int)


@dataclass(frozen=True)
class _Pixels:
    """How values become a coded picture: formats of FFmpeg's, a matrix and a range."""

    source: str
    format: str
    matrix: str
    full: bool

    def frame(self, av: Any, values: Shaped[ndarray, "rows columns channels"]) -> Any:
        """A frame of the format that is coded."""
        grey = self.source.startswith("gray")
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(values[..., 0] if grey else values), format=self.source
        )
        if self.source == self.format:
            return frame
        own = SCALER[self.matrix]
        return frame.reformat(
            format=self.format,
            src_colorspace=own,
            dst_colorspace=own,
            src_color_range=2,
            dst_color_range=2 if self.full else 1,
            interpolation=FINE,
        )


def _pixels(coding: Coding, shape: tuple[int, ...], spec: SignalSpec) -> _Pixels:
    bits, told = bits_of(spec), _told(spec)
    deep = "" if bits == 8 else f"{bits}le"
    source = (
        f"gray{deep}"
        if spec.channels == 1
        else "rgba"
        if spec.channels == 4
        else f"gbrp{deep}"
        if deep
        else "rgb24"
    )
    matrix = told.get("matrix")
    if matrix not in SCALER:
        matrix = "bt709" if shape[1] >= HIGH_ROWS else "bt601"
    if coding.lossless:
        # RGB of 8 bits lies in FFV1 with a byte between.
        return _Pixels(source, {"rgb24": "bgr0", "rgba": "bgra"}.get(source, source), matrix, True)
    halved = shape[1] % 2 == 0 and shape[2] % 2 == 0
    return _Pixels(source, f"yuv{420 if halved else 444}p{deep}", matrix, told.get("range") == "full")


def _describe(codec: Any, pixels: _Pixels, shape: tuple[int, ...], spec: SignalSpec) -> None:
    """Say what colours and pixels mean."""
    told = _told(spec)
    if pixels.format.startswith("yuv"):
        codec.colorspace = next(n for n, name in MATRICES.items() if name == pixels.matrix)
        codec.color_range = next(
            n for n, name in RANGES.items() if name == ("full" if pixels.full else "limited")
        )
    for name, attribute in (("primaries", "color_primaries"), ("transfer", "color_trc")):
        number = told.get(name)
        if isinstance(number, int) and 1 <= number <= 22:
            setattr(codec, attribute, number)
    codec.sample_aspect_ratio = aspect_of(spec, shape)


def _told(spec: SignalSpec) -> Mapping[str, Any]:
    told = spec.source.get("colour")
    return told if isinstance(told, dict) else {}


# --- a folder of frames -------------------------------------------------------------------------------------


def is_pattern(path: Path | str) -> bool:
    """Whether a path names frames by their numbers, as FFmpeg has it: frames/%04d.png."""
    return len(_PATTERN.findall(Path(path).name)) == 1


def numbered(pattern: str, number: int) -> str:
    """The name of one frame."""
    return _PATTERN.sub(lambda found: f"{number:{found[1]}{found[2]}d}", pattern)


@contextmanager
def frames_folder(path: Path | str) -> Iterator[Path]:
    """A pattern in an empty folder that takes the place of the frames that are there.

    Raises:
        InputError: the folder has other things in it, or cannot be made.
    """
    target = Path(path)
    with atomic_folder(target.parent, check_frames_folder(target)) as folder:
        yield folder / target.name


def check_frames_folder(path: Path) -> tuple[str, ...]:
    """Find out whether frames can be written to their folder; what may be in it.

    Raises:
        InputError: it has other things in it, or cannot be made.
    """
    folder, before, after = path.parent, *(re.escape(part) for part in _split(path.name))
    own: tuple[str, ...] = ()
    if folder.is_dir():
        names = [file.name for file in folder.iterdir()]
        own = tuple(name for name in names if re.fullmatch(f"{before}[0-9]+{after}", name))
        if len(own) < len(names):
            raise InputError(
                f"cannot write {path}: the folder has other things in it; name one of its own, such as "
                f"frames/{path.name}"
            )
    check_replaceable(folder, own[:1])
    return own[:1]


def _split(name: str) -> tuple[str, str]:
    found = _PATTERN.search(name)
    assert found is not None
    return name[: found.start()], name[found.end() :]
