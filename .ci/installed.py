"""The main job, by an installed partinr: no sources, no torch, no compiler; an error if anything is wrong."""

import tempfile
from pathlib import Path

import numpy as np

import partinr
from partinr.model.kernel import why_missing

assert why_missing() is None, f"the native kernel is not in the wheel: {why_missing()}"

y, x = np.mgrid[:120, :160] / 40
signal = partinr.from_array(np.rint(127.5 + 60 * np.sin(x * y) + 60 * np.cos(3 * x - y)).astype(np.uint8))
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "signal.inr"
    solved = partinr.fit(signal)
    saved = partinr.save(solved.model, path, store="auto", signal=signal)
    rendered = partinr.render(partinr.load(path))
    psnr = partinr.psnr(signal.values, rendered.reshape(signal.values.shape), 255.0)
    assert psnr > 40, psnr
    assert abs(psnr - solved.psnr) < 0.01, (psnr, solved.psnr)
    assert partinr.render(partinr.load(path), scale=2).shape == (240, 320)
    trained = partinr.fit(signal, partinr.Grid(2, 2), partinr.Siren(16, 1), goal=partinr.Steps(50))
    assert trained.psnr > 15, trained.psnr
print(f"{partinr.__version__}: {psnr:.2f} dB in {saved.bytes:,} bytes, {partinr.__file__}")
