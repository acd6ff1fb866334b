"""Which frames of a video are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from partinr.errors import InputError

# Seconds by which a time may be off its decimal form.
_NEARLY = 1e-6


@dataclass(frozen=True)
class Clip:
    """The frames of a video, animation or file of pages that are wanted.

    Attributes:
        start: seconds after the first frame; None for that.
        stop: seconds that frames lie before; None for the end.
        every: of these frames, one of so many.
        picture: one frame or page alone, from 0, as a picture; None for all that the others say.
        fps: frames a second of those that do not say it themselves.

    Raises:
        InputError: they do not go together, or are out of range.
    """

    start: float | None = None
    stop: float | None = None
    every: int | None = None
    picture: int | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise InputError(f"every must be at least 1 frame, got {self.every}")
        if self.picture is not None and (self.timed or self.every is not None):
            raise InputError("--picture is one frame of all; leave out --start, --stop and --every")

    @property
    def timed(self) -> bool:
        """Whether a part is named in seconds."""
        return (self.start, self.stop) != (None, None)

    @property
    def asked(self) -> bool:
        """Whether anything is asked for that only several frames have."""
        return self.timed or self.every is not None

    @property
    def step(self) -> int:
        """From one frame that is read to the next one."""
        return self.every or 1

    def before(self, time: float) -> bool:
        """Whether a frame lies before the part."""
        return self.start is not None and time < self.start - _NEARLY

    def after(self, time: float) -> bool:
        """Whether a frame lies behind the part."""
        return self.stop is not None and time >= self.stop - _NEARLY

    def seconds(self, duration: float) -> float:
        """Length of the part of a video that lasts so long."""
        stop = duration if self.stop is None else min(duration, self.stop)
        return max(0.0, stop - (self.start or 0.0))

    def nothing(self, path: Path, frames: int, duration: float) -> InputError:
        """What is wrong where no frame was found, in a video of so many that lasts so long."""
        if self.picture is not None:
            return InputError(f"{path}: --picture must be 0 to {frames - 1}, got {self.picture}")
        return InputError(
            f"{path}: expected a part of 0 to {duration:g} seconds that is not empty, got "
            f"{self.start or 0:g} to {duration if self.stop is None else self.stop:g}; change start and stop"
        )


WHOLE = Clip()
