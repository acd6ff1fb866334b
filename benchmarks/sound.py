"""Sounds to 40 dB SNR: seconds and bits beside one SIREN, FLAC and Opus.

    python benchmarks/sound.py FILE.wav ... [--steps N] [--seconds S] [--write]

Seconds are of processor time, all threads together, as other work on the machine does not count in them. The
compact fit is `partinr.fit` without options, timed as a whole; its bits are those of the whole file, its
SNR that of the file's rendering. FLAC loses nothing, of 16 bits a sample. Opus has 128 kbit/s at 48 kHz; what
it gives is compared where it belongs in time.

The SIREN is that of Sitzmann et al. (NeurIPS 2020) for sounds: four hidden layers of 256, omega_0 of 3000 in
the first and 30 in the others, Adam at 5e-5 on the whole sound in every step, values scaled to -1..1. Its
steps are timed, and how many it needs is bounded from below: the same network is trained for some time on a
sixteenth of the sound alone, with the same coordinates. All of the sound takes no fewer steps to as many dB
than a part, and more to 40 dB. If the part gets to 40 dB, the steps that it took are the bound.
"""

from __future__ import annotations

import argparse
import io
import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tables import machine, publish, table

from partinr import Signal, fit, load, read, render, save, snr

SNR = 40.0
HIDDEN, LAYERS, FIRST, OTHERS, RATE = 256, 4, 3000.0, 30.0, 5e-5
OPUS_RATE, OPUS_BITS = 48_000, 128_000
PARTS, PIECE = 16, 1 << 14


def ours(signal: Signal) -> tuple[float, float, float]:
    """Seconds, bits a sample of the file, and SNR of what it renders."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.inr"
        started = time.process_time()
        result = fit(signal)
        seconds = time.process_time() - started
        size = save(result.model, path, store="auto", signal=signal).bytes
        values = render(load(path)).reshape(signal.values.shape)
        return seconds, 8 * size / signal.spec.samples, snr(signal.values, values)


def waves(signal: Signal) -> Any:
    low, high = signal.spec.value_range
    return (signal.values.astype(np.float64) - (low + high) / 2) * (2 / (high - low))


def flac(signal: Signal, rate: int) -> float:
    """Bits a sample without loss, of 16 bits."""
    import soundfile

    file = io.BytesIO()
    values = np.clip(np.rint(waves(signal) * 32767), -32768, 32767).astype(np.int16)
    soundfile.write(file, values, rate, format="FLAC", subtype="PCM_16", compression_level=1.0)
    return 8 * len(file.getvalue()) / len(values)


def opus(signal: Signal, rate: int) -> tuple[float, float]:
    """Bits a sample of the sound, and SNR, of Opus at 128 kbit/s."""
    import av
    from scipy.signal import resample_poly

    step = math.gcd(rate, OPUS_RATE)
    given = resample_poly(waves(signal)[:, 0], OPUS_RATE // step, rate // step).astype(np.float32)
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream: Any = container.add_stream("libopus", rate=OPUS_RATE, layout="mono")
        stream.bit_rate = OPUS_BITS
        frame = av.AudioFrame.from_ndarray(given[None], format="fltp", layout="mono")
        frame.sample_rate = OPUS_RATE
        resampler = av.AudioResampler(stream.codec_context.format, "mono", OPUS_RATE, frame_size=960)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    size = len(file.getvalue())
    file.seek(0)
    with av.open(file) as container:
        to_float = av.AudioResampler("fltp", "mono", OPUS_RATE)
        pieces = [to_float.resample(frame) for frame in container.decode(audio=0)]
        heard = np.concatenate([p.to_ndarray()[0] for piece in pieces for p in piece])
    return 8 * size / signal.spec.samples, aligned(given, heard)


def aligned(given: Any, heard: Any) -> float:
    """SNR at the shift in time at which it is best."""
    from scipy.signal import correlate

    n = min(len(given), len(heard))
    middle = slice(n // 4, n // 4 + min(n // 2, 1 << 17))
    lag = int(correlate(heard[:n], given[middle], "valid", "fft").argmax()) - middle.start
    some = slice(max(0, -lag), min(len(given), len(heard) - lag))
    return snr(given[some][:, None], heard[some.start + lag : some.stop + lag][:, None])


def siren(device: str) -> Any:
    """The network of the published setting."""
    import torch
    from torch import nn

    class Sine(nn.Module):
        def __init__(self, fan_in: int, omega: float, first: bool) -> None:
            super().__init__()
            self.omega, self.linear = omega, nn.Linear(fan_in, HIDDEN)
            bound = 1 / fan_in if first else math.sqrt(6 / fan_in) / omega
            nn.init.uniform_(self.linear.weight, -bound, bound)

        def forward(self, x: Any) -> Any:
            return torch.sin(self.omega * self.linear(x))

    torch.manual_seed(0)
    last = nn.Linear(HIDDEN, 1)
    bound = math.sqrt(6 / HIDDEN) / OTHERS
    nn.init.uniform_(last.weight, -bound, bound)
    hidden = [Sine(HIDDEN, OTHERS, False) for _ in range(LAYERS - 1)]
    return nn.Sequential(Sine(1, FIRST, True), *hidden, last).to(device)


def steps_of(signal: Signal, part: slice, device: str) -> Iterator[float]:
    """SNR before each step of the SIREN on a part of a sound."""
    import torch

    network = siren(device)
    coords = torch.linspace(-1, 1, signal.spec.samples, device=device)[part, None]
    truth = torch.tensor(waves(signal), dtype=torch.float32, device=device)
    truth = truth[part] / truth.abs().max()
    power = float(truth.var(unbiased=False))
    adam = torch.optim.Adam(network.parameters(), lr=RATE)
    while True:
        adam.zero_grad()
        error = 0.0
        # The gradient of all samples, in pieces that fit into memory.
        for some, wanted in zip(coords.split(PIECE), truth.split(PIECE), strict=True):
            loss = ((network(some) - wanted) ** 2).sum() / len(truth)
            loss.backward()
            error += loss.item()
        adam.step()
        yield 10 * math.log10(power / error)


def bound(signal: Signal, seconds: float, device: str) -> tuple[int, float]:
    """Steps that the SIREN made on a part of a sound in some time, or to 40 dB, and the best SNR."""
    samples = signal.spec.samples
    first, length = samples // 2, samples // PARTS
    best, ends = -math.inf, time.process_time() + seconds
    for step, reached in enumerate(steps_of(signal, slice(first, first + length), device)):
        best = max(best, reached)
        if best >= SNR or time.process_time() > ends:
            return step, best
    raise AssertionError


def seconds_a_step(signal: Signal, steps: int, device: str) -> float:
    """Of the SIREN on the whole sound: the median."""
    began, taken = time.process_time(), []
    for _, _ in zip(range(steps), steps_of(signal, slice(None), device), strict=False):
        taken.append(time.process_time() - began)
        began = time.process_time()
    return float(np.median(taken[1:] or taken))


def row(path: Path, options: argparse.Namespace) -> list[str]:
    signal = read(path)
    assert signal.spec.axes is not None
    rate = round(1 / signal.spec.axes[0].spacing)
    seconds, bits, reached = ours(signal)
    opus_bits, opus_snr = opus(signal, rate)
    each = seconds_a_step(signal, options.steps, options.device)
    steps, best = bound(signal, options.seconds, options.device)
    return [
        path.name,
        f"{seconds:.1f}",
        f"{reached:.2f}",
        f"{each:.1f}",
        f"{steps:,} ({best:.1f} dB)",
        f"{each * steps / 60:,.0f} min",
        f"{each * steps / seconds:,.0f}",
        f"{bits:.2f}",
        f"{flac(signal, rate):.2f}",
        f"{opus_bits:.2f} ({opus_snr:.1f} dB)",
    ]


HEAD = [
    "to 40 dB SNR",
    "CPU s",
    "SNR",
    "SIREN, CPU s a step",
    "steps on a sixteenth",
    "so at least",
    "times sooner",
    "bits a sample",
    "FLAC",
    "Opus",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument(
        "--steps", type=int, default=4, help="of the SIREN on the whole sound, which are timed"
    )
    parser.add_argument(
        "--seconds", type=float, default=100.0, help="of processor time for the SIREN on a sixteenth"
    )
    parser.add_argument("--device", default="cpu", help="of the SIREN")
    parser.add_argument("--write", action="store_true", help="put the table into docs/sound.md")
    options = parser.parse_args()
    rows = [row(path, options) for path in options.files]
    note = f"Measured by `benchmarks/sound.py` on {machine()}."
    publish("sound.md", "sounds", f"{table(HEAD, rows)}\n\n{note}", options.write)


if __name__ == "__main__":
    main()
