"""Videos that PyAV decodes: MP4, Matroska, WebM, MOV, AVI and what else FFmpeg knows."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from partinr.errors import InputError, loaded
from partinr.signals.decoding import MAX_PIXELS, check_pixels, decoding
from partinr.signals.signal import Signal
from partinr.signals.videos.clip import WHOLE, Clip
from partinr.signals.videos.frames import Frame, Frames, one_frame, video_signal
from partinr.signals.videos.timing import timing
from partinr.signals.videos.whole import check_whole

# Names of FFmpeg's numbers (ISO/IEC 23091-2), of ranges and matrices.
RANGES = {1: "limited", 2: "full"}
MATRICES = {0: "rgb", 1: "bt709", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
# What swscale calls them.
SCALER = {"bt709": 1, "bt601": 5, "smpte240m": 7, "bt2020": 9}
# Flags of swscale: bilinear, colours between those of half the resolution, exact rounding. Without the last
# two, smooth colours that go there and back lose 10 dB.
FINE = 2 | 8192 | 262_144
# Pictures of so many rows and more that do not say their matrix are high definition's, as players take them.
HIGH_ROWS = 720
# Of a turn's numbers, in 1/65536, what may be rounded.
_FIXED, _NEARLY = 65_536, 1e-3


class _Layout(NamedTuple):
    """What a frame's pixels become: a format of FFmpeg's, and bits of a sample."""

    format: str
    bits: int
    grey: bool


def read_video(
    path: Path,
    clip: Clip = WHOLE,
    *,
    value_range: tuple[float, float] | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> Signal:
    """The frames of a video's first stream of pictures, turned as it says, in RGB or grey.

    Of 8 bits, or of as many as the video has, in 16.

    Args:
        path: the file.
        clip: which frames; one frame alone is a picture.
        value_range: lowest and highest possible value; None: all that the bits hold.
        max_pixels: greatest number of pixels of all frames, checked by what the header says before anything
            is decoded, and again as frames come; None for no limit.

    Raises:
        InputError: PyAV is missing, the file is damaged, truncated or of an unknown coding, has no pictures
            or none in the part, has frames of several sizes, or more than the limit.
    """
    av = need_av(f"{path}: videos are read")
    if clip.stop is None:
        check_whole(path)
    with decoding(path, "a video"), av.open(str(path), metadata_errors="replace") as container:
        stream = _stream(path, container)
        codec = stream.codec_context
        expected = _expected(container, stream, clip)
        check_pixels(path, (expected, codec.height, codec.width), max_pixels, "video")
        if max_pixels is not None:
            codec.options = {**codec.options, "max_pixels": str(max_pixels)}
        stream.thread_type = "AUTO"
        reader = _Reader(path, stream, clip)
        frames, times = Frames(path, expected, max_pixels), []
        for time, frame in reader.chosen(container):
            frames.add(frame)
            times.append(time)
        if not times:
            raise clip.nothing(path, reader.seen, reader.end)
        assert reader.layout is not None
        notes = _notes(container, stream, reader)
        rates = [rate / clip.step for rate in (stream.average_rate, stream.base_rate) if rate]
        when = timing(times, None, float(stream.time_base), [float(rate) for rate in rates])
        aspect = float(stream.sample_aspect_ratio or 1)
        source = {"format": container.format.name.split(",")[0], "codec": codec.name, **reader.colour}
    if value_range is None:
        value_range = (0.0, float(2**reader.layout.bits - 1))
    if clip.picture is not None:
        metadata = {"format": source["format"], "notes": notes}
        return one_frame(frames.values[0], value_range=value_range, metadata=metadata)
    return video_signal(
        path,
        frames.values,
        when,
        aspect=1 / aspect if reader.sideways else aspect,
        value_range=value_range,
        max_pixels=max_pixels,
        source=source,
        notes=notes,
    )


class _Reader:
    """Decodes the frames that are wanted.

    Attributes:
        seen: frames that were decoded.
        end: of the last of them, in seconds.
        layout: of their pixels.
        colour: what the file says of them.
        turned: what was done to them, in words.
        sideways: whether rows became columns.
    """

    def __init__(self, path: Path, stream: Any, clip: Clip) -> None:
        self._path, self._stream, self._clip = path, stream, clip
        self.seen, self.end = 0, 0.0
        self.layout: _Layout | None = None
        self.colour: dict[str, Any] = {}
        self.turned, self.sideways = "", False
        self.interlaced = False

    def chosen(self, container: Any) -> Iterator[tuple[float, Frame]]:
        """Time and values of each."""
        stream, clip = self._stream, self._clip
        base = Fraction(stream.time_base)
        first = Fraction(stream.start_time or 0) * base
        if clip.start:
            container.seek(int((Fraction(clip.start) + first) / base), stream=stream)
        inside, usual = 0, float(1 / (stream.average_rate or 25))
        for frame in self._decoded(container):
            if frame.pts is None:
                raise InputError(f"{self._path}: frames without times cannot be read; encode the video again")
            time = float(frame.pts * base - first)
            self.seen, self.end = self.seen + 1, time + usual
            if clip.after(time):
                return
            if clip.picture is not None:
                if self.seen - 1 == clip.picture:
                    yield time, self._values(frame)
                    return
            elif not clip.before(time):
                if inside % clip.step == 0:
                    yield time, self._values(frame)
                inside += 1

    def _decoded(self, container: Any) -> Iterator[Any]:
        for frame in container.decode(self._stream):
            if frame.is_corrupt:
                raise InputError(
                    f"{self._path}: a frame is damaged, {self.end:.3f} seconds after the first; get the file "
                    "again, or read what is before it with a stop (--stop SECONDS)"
                )
            yield frame

    def _values(self, frame: Any) -> Frame:
        """A frame as an array, upright."""
        if self.layout is None:
            self.layout = _layout(frame)
            self.colour = _colour(frame)
            self.interlaced = frame.interlaced_frame
        if self.layout.format == frame.format.name:
            values: Frame = frame.to_ndarray()
        else:
            said, usual = self.colour.get("colour", {}), "bt709" if frame.height >= HIGH_ROWS else "bt601"
            own, full = SCALER.get(said.get("matrix", usual)), said.get("range") == "full"
            values = frame.to_ndarray(
                format=self.layout.format,
                src_colorspace=own,
                dst_colorspace=own,
                src_color_range=2 if full else 1,
                dst_color_range=2,
                interpolation=FINE,
            )
        return self._upright(values, frame)

    def _upright(self, values: Frame, frame: Any) -> Frame:
        """Turned and mirrored as the display matrix says, if by whole quarters."""
        matrix = next((bytes(s) for s in frame.side_data if s.type.name == "DISPLAYMATRIX"), None)
        if matrix is None:
            return values
        # Columns go along (a, b), rows along (c, d), x to the right and y down (ISO/IEC 14496-12, 6.2.2).
        a, b, _, c, d = np.frombuffer(matrix, "<i4")[:5] / _FIXED
        steps = np.array([[a, b], [c, d]])
        whole = np.rint(steps).astype(int)
        if (whole == np.eye(2)).all():
            return values
        if abs(whole - steps).max() > _NEARLY or not (abs(whole).sum(axis=0) == 1).all():
            self.turned = "is to be turned by an angle that is no quarter, which is left out"
            return values
        self.sideways = bool(whole[0, 0] == 0)
        if self.sideways:
            values, columns, rows = values.swapaxes(0, 1), whole[1, 0], whole[0, 1]
        else:
            columns, rows = whole[0, 0], whole[1, 1]
        self.turned = "is turned upright, as the file says"
        return values[:: 1 if rows > 0 else -1, :: 1 if columns > 0 else -1]


def _stream(path: Path, container: Any) -> Any:
    """The stream of pictures; covers of sounds are none.

    Raises:
        InputError: there is none, or of an unknown coding.
    """
    pictures = [s for s in container.streams.video if "attached_pic" not in _disposition(s)]
    if not pictures:
        others = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise InputError(
            f"{path}: expected a video, got a file without pictures that move ({others}); a sound can be "
            "read as WAV, FLAC, Ogg or MP3"
        )
    if pictures[0].codec_context is None:
        raise InputError(f"{path}: the coding of its pictures is unknown; encode the video again")
    return pictures[0]


def _disposition(stream: Any) -> str:
    return str(stream.disposition.name or "") if stream.disposition else ""


def _expected(container: Any, stream: Any, clip: Clip) -> int:
    """Frames that the header promises, of those that are wanted; at least 1."""
    if clip.picture is not None:
        return 1
    rate = float(stream.average_rate or stream.base_rate or 0)
    lasts = (
        float(stream.duration * stream.time_base)
        if stream.duration
        else (container.duration or 0) / 1_000_000
    )
    frames = stream.frames or round(lasts * rate)
    if clip.timed and frames and rate:
        frames = min(frames, round(clip.seconds(lasts or frames / rate) * rate) + 1)
    return max(1, -(-frames // clip.step))


def _layout(frame: Any) -> _Layout:
    """What pixels become: RGB or grey, with alpha if there is one, of the bits that they have."""
    components = frame.format.components
    bits = max(component.bits for component in components)
    alpha = any(component.is_alpha for component in components)
    name = frame.format.name
    if name.startswith("gray") and "f" not in name and name in ("gray", "gray10le", "gray12le", "gray16le"):
        own = frame.color_range != 1
        if own or bits == 8:
            return _Layout(name, bits, True)
    if bits <= 8:
        return _Layout("rgba" if alpha or name == "pal8" else "rgb24", 8, False)
    if alpha:
        return _Layout("rgba64le", 16, False)
    held = next(n for n in (9, 10, 12, 14, 16) if n >= min(bits, 16))
    return _Layout(f"gbrp{held}le", held, False)


def _colour(frame: Any) -> dict[str, Any]:
    """Range, matrix, primaries and transfer that the file names; the latter as numbers of ISO/IEC 23091-2."""
    own = {
        "range": RANGES.get(int(frame.color_range)),
        "matrix": MATRICES.get(int(frame.colorspace)),
        "primaries": int(frame.color_primaries),
        "transfer": int(frame.color_trc),
    }
    # 2: nothing is said.
    told = {name: value for name, value in own.items() if value not in (None, 2)}
    return {"colour": told} if told else {}


def _notes(container: Any, stream: Any, reader: _Reader) -> list[str]:
    notes = []
    if reader.turned:
        notes.append(f"the video {reader.turned}")
    if container.streams.audio:
        notes.append("its sound is not kept")
    if len(container.streams.video) > 1:
        notes.append("of several streams of pictures, the first is read")
    if reader.interlaced:
        notes.append("its frames are interlaced, and read as they are")
    if stream.metadata.get("alpha_mode") == "1":
        notes.append("its transparency is not read")
    return notes


def need_av(what: str) -> ModuleType:
    """PyAV.

    Raises:
        InputError: it is not there.
    """
    return loaded("av", f"{what} by PyAV; pip install 'partinr[video]'")
