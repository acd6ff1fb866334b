"""The fewest bytes for a PSNR, or the best PSNR for so many bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from reprlib import repr as brief

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.file.compact_inr import compact_size, spectra_size
from partinr.fitting.goals.goal import Seconds, Solved, check_psnr
from partinr.fitting.goals.rounding import most_before_rounding
from partinr.fitting.spectral import COARSEST, FINEST, Cut, Cutter, steered
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import rendered_psnr
from partinr.model.synthesis import synthesised
from partinr.shapes import Float32
from partinr.signals.signal import Signal
from partinr.signals.snr import psnr_for_snr, snr_at

# A PSNR is met to so many dB, to four times as many where samples are missing, and a size to this share.
# Of signals of so many samples to twice as many, as each look at the PSNR takes a while.
_EXCESS, _LARGE = 0.01, 1 << 24
_FILLED = 0.996
_LOOKS = 6
# Rounding takes nearly all errors away where so small a share of them may be left.
_NEARLY_EXACT = 0.01
_USUAL_PSNR = 42.0
# Of the filling of missing samples, so much less is lost than of what is there (photographs, 34 to 42 dB).
_EASIER = 0.36
# Closing jumps at the borders of boxes takes so much of the error away, as a rule (photographs, 32 to 42 dB).
_CLOSED = 0.04
_USUAL_SNR = 40.0


@dataclass(frozen=True)
class Compact(Solved):
    """Cosines over boxes that suit the signal: the fewest bytes for a quality, or the best for a size.

    Exactly one of the numbers is given.

    Attributes:
        psnr: PSNR in dB of the rendered signal, which is reached by as little as can be.
        size: bytes that the compact file may have.
        bpp: bits a sample that it may have.

    Raises:
        InputError: none or several are given, or one is out of its range.

    Example:
        >>> import numpy as np, partinr
        >>> ramp = np.linspace(0, 1, 4096, dtype=np.float32).reshape(64, 64)
        >>> result = partinr.fit(ramp, goal=partinr.Compact(psnr=50))
        >>> result.psnr >= 50, result.steps
        (True, 0)

    Source: `docs/method.md`, "Cosines over trees of boxes".
    """

    psnr: float | None = None
    size: int | None = None
    bpp: float | None = None

    @property
    def within(self) -> Seconds | None:  # type: ignore[override]
        """See `Goal`."""
        return None

    def __post_init__(self) -> None:
        given = [name for name in ("psnr", "size", "bpp") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(
                "a compact fit takes one of psnr, size and bpp, got "
                f"{' and '.join(given) or 'none'}; give one"
            )
        if self.psnr is not None:
            check_psnr(self.psnr)
        if self.size is not None and (
            isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1
        ):
            raise InputError(f"size must be a whole number of bytes of at least 1, got {brief(self.size)}")
        if self.bpp is not None and not (isinstance(self.bpp, Real) and 0 < float(self.bpp) < math.inf):
            raise InputError(f"bpp must be a positive number of bits a sample, got {brief(self.bpp)}")

    def most_bytes(self, samples: int) -> int | None:
        """Bytes that the file may have; None where a PSNR is named."""
        return self.size if self.bpp is None else math.floor(self.bpp * samples / 8)

    def reached(self, function: Piecewise, psnr: float) -> bool:
        """See `Goal.reached`."""
        most = self.most_bytes(function.signal.samples)
        return super().reached(function, psnr) and (most is None or compact_size(function) <= most)

    def solved(
        self,
        signal: Signal,
        threads: int | None,
        tell: Callable[[float], bool],
        mixing: Float32[ndarray, "channels channels"] | None = None,
    ) -> Piecewise:
        """See `Solved.solved`; the channels are mixed as told, or by None as suits the signal."""
        cutter = Cutter(signal, threads, mixing)
        most = self.most_bytes(signal.spec.samples)
        if most is None:
            assert self.psnr is not None
            return _to_quality(signal, cutter, self.psnr, tell)
        return _to_size(signal, cutter, most, tell)


def usual_goal(psnr: float | None = None, signal: Signal | None = None) -> Compact:
    """The goal of a fit of which nothing is said that only training knows.

    Args:
        psnr: in dB; None for 42, where eyes see no difference (`docs/choosing.md`), or the PSNR at which a
            sound has an SNR of 40 dB, as its PSNR says as much of how loud it is as of its error.
        signal: what is fitted.

    Example:
        >>> import partinr
        >>> partinr.usual_goal()
        Compact(psnr=42.0, size=None, bpp=None)
    """
    if psnr is None and signal is not None and signal.spec.kind == "sound" and snr_at(signal, 0) is not None:
        psnr = psnr_for_snr(signal, _USUAL_SNR)
    return Compact(psnr=_USUAL_PSNR if psnr is None else psnr)


def _to_quality(signal: Signal, cutter: Cutter, psnr: float, tell: Callable[[float], bool]) -> Piecewise:
    allowed = 10 ** (-psnr / 10)
    # What boxes leave is as good as normal.
    aim = most_before_rounding(allowed, signal.spec)
    # What is cut is the signal with its missing samples filled, of which less is lost than of what is there.
    aim *= 1 - _EASIER * signal.missing / signal.spec.samples
    if signal.spec.between != "none" and signal.spec.dims > 1:
        aim *= 1 + _CLOSED
    cut = cutter.cut(cutter.first_step(lambda some: some.error, aim, 1.25 * math.sqrt(12 * aim)))
    cutter.release()
    tell(0.6)
    best, partition = None, None
    function: Piecewise | None = None
    near = _EXCESS * (4 if signal.missing else 2 if signal.spec.samples > _LARGE else 1)
    gain, before = 1.0, (math.nan, math.nan)
    for look in range(_LOOKS):
        function = None  # before the next takes as much memory
        cut = _with_error(cutter, cut, aim)
        function = synthesised(cutter.spectra(cut), signal.spec, partition)
        partition, reached = function.partition, rendered_psnr(function, signal)
        excess = reached - psnr
        if excess >= 0:
            best = max(best or 0.0, cut.step)
        elif best is None and cut.step <= FINEST:
            break
        exact = math.isinf(reached) and allowed < _NEARLY_EXACT * aim
        if 0 <= excess <= near or exact or tell(0.7 + 0.25 * look / _LOOKS) or cut.error == 0:
            break
        if signal.missing:
            gain = _gain((10 * math.log10(cut.error), reached), before, gain)
            before = (10 * math.log10(cut.error), reached)
            excess -= near / 4
        # What is left of the excess is taken back, but not quite; what fell short has to change by more than
        # the error of a step is looked for.
        known, share = (min(aim, cut.error), 0.9988) if excess < 0 else (aim, 0.9996)
        aim = known * 10 ** (min(max(excess / gain, -3.0), 3.0) / 10) * share
    if best is not None and best != cut.step:
        return synthesised(cutter.spectra(cutter.again(cut, best)), signal.spec, partition)
    assert function is not None
    return function


def _gain(now: tuple[float, float], before: tuple[float, float], usual: float) -> float:
    """Decibels of the rendering for one of the cut, between two pairs of both, if they are apart."""
    apart = before[0] - now[0]
    return min(max((now[1] - before[1]) / apart, 0.5), 2.0) if abs(apart) > 0.05 else usual


def _with_error(cutter: Cutter, cut: Cut, aim: float) -> Cut:
    """The cut with the step at which its error is just below what is aimed at."""
    found = cut

    def error(step: float) -> float:
        nonlocal found
        found = cutter.again(cut, step)
        return found.error

    step, _ = steered(error, aim * 0.9995, cut.step, near=0.001, most=4, known=cut.error)
    if found.step != np.float32(step):
        found = cutter.again(cut, step)
    for _ in range(_LOOKS):
        if found.error <= aim or found.step <= FINEST:
            break
        found = cutter.again(cut, found.step * 0.999)
    return found


def _to_size(signal: Signal, cutter: Cutter, most: int, tell: Callable[[float], bool]) -> Piecewise:
    wanted = 1 / (8.0 * most * cutter.share)
    cut = cutter.cut(cutter.first_step(lambda some: 1 / max(some.bits, 1.0), wanted, 0.05))
    tell(0.5)
    small, large = None, None  # the finest step that fits and its bytes, the coarsest that does not
    for look in range(_LOOKS + 2):
        spectra = cutter.spectra(cut)
        size = spectra_size(spectra, signal.spec)
        if size <= most:
            small = (cut, size)
        else:
            large = (cut, size)
        filled = size <= most and (size >= _FILLED * most or cut.step <= FINEST)
        if filled or tell(0.5 + 0.45 * look / (_LOOKS + 2)):
            break
        if large is not None and large[0].step >= COARSEST:
            break
        step = _next_step(cut.step, size, most, small, large)
        # Other sizes want other boxes.
        far = abs(math.log(step / cut.step)) > 0.2
        cut = cutter.cut(step) if far else cutter.again(cut, step)
    if small is not None and small[0].step != cut.step:
        spectra = cutter.spectra(cutter.again(small[0], small[0].step))
    return synthesised(spectra, signal.spec)


def _next_step(
    step: float, size: int, most: int, small: tuple[Cut, int] | None, large: tuple[Cut, int] | None
) -> float:
    """Between the finest step that fits and the coarsest that does not, where bytes are a power of the step;
    beyond the last, as long as there is but one of them."""
    aim = 0.998 * most
    if small is not None and large is not None:
        (fits, few), (fails, many) = small, large
        share = math.log(aim / many) / math.log(few / many)
        between: float = fails.step * (fits.step / fails.step) ** min(max(share, 0.1), 0.95)
        return between
    factor: float = (size / aim) ** 1.2
    if size > most:
        factor = max(factor, 1.002)
    return min(max(step * min(max(factor, 1 / 16), 16.0), FINEST), COARSEST)
