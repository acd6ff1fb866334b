"""What is foretold of a cut, against the function that it is."""

from __future__ import annotations

import os
import signal as signals
import threading

import numpy as np
import pytest

import partinr
from partinr.fitting.spectral import Cutter
from partinr.model import kernel
from partinr.model.synthesis import synthesised

pytestmark = pytest.mark.skipif(kernel.why_missing() is not None, reason="fits of cosines need the kernel")


@pytest.mark.parametrize("step", [0.3, 0.03, 1e-3, 1e-4, 1e-5])
@pytest.mark.parametrize("shape", [(1500,), (90, 70), (20, 30, 25)], ids=str)
def test_the_error_of_a_cut_is_that_of_its_function(shape: tuple[int, ...], step: float) -> None:
    # Far from 0, as pictures are: what is large must not hide what is missed.
    random = np.random.default_rng(0)
    waves = sum(np.sin(0.3 * (a + 1) * axis) for a, axis in enumerate(np.indices(shape)))
    values = 0.8 + 0.05 * waves + 0.01 * random.normal(size=shape)
    signal = partinr.from_array(values.astype(np.float32), value_range=(0.0, 1.0))
    cutter = Cutter(signal, 1)
    cut = cutter.cut(step)
    missed = (
        partinr.render(synthesised(cutter.spectra(cut), signal.spec)).astype(np.float64)
        - signal.values[..., 0]
    )
    # Single precision, of the function's values too, errs by some 1e-7.
    assert cut.error == pytest.approx(np.mean(missed**2), rel=0.03, abs=1e-12)
    again = cutter.again(cut, step / 2)
    assert 0 <= again.error < cut.error or cut.error < 1e-12


def test_ctrl_c_ends_it_before_its_end() -> None:
    cutter = Cutter(partinr.from_array(np.random.default_rng(0).random((3000, 3000), np.float32)), 1)
    cut = cutter.cut(1e-3)
    cut.integers[:] = untouched = np.iinfo(np.int32).max
    timer = threading.Timer(0.02, os.kill, [os.getpid(), signals.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        cutter.again(cut, 1e-3)
    timer.join()
    assert cut.integers[-1] == untouched
    assert cut.integers[0] != untouched
