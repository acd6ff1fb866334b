"""Jumps that rounding made at the borders of boxes."""

import numpy as np
import pytest

import partinr
from partinr.model import kernel
from partinr.model.deblocking import deblock, reach
from partinr.model.rendering import sample_blocks


def fitted(shape, psnr=34, between="smooth"):
    grids = np.meshgrid(*(np.linspace(0, 3, n) for n in shape), indexing="ij")
    noise = np.random.default_rng(0).normal(size=shape) * 0.02
    values = np.sin(sum((a + 1) * grid for a, grid in enumerate(grids))) / 3 + 0.5 + noise
    signal = partinr.from_array(values, value_range=(0, 1))
    return partinr.fit(signal, goal=partinr.Compact(psnr=psnr), between=between).model


def samples(model):
    return np.concatenate(list(sample_blocks(model)))


@pytest.mark.parametrize("shape", [(3000,), (150, 170), (40, 37, 30)])
def test_native_is_numpys(shape, monkeypatch):
    if kernel.why_missing():
        pytest.skip("no native kernel")
    model = fitted(shape)
    assert model.regions > 8
    alone = samples(model.with_between("none"))
    for part in (tuple(slice(0, n) for n in shape), tuple(slice(n // 5, n - n // 7) for n in shape)):
        first = [along.start for along in part]
        native = deblock(alone[part], model.spectra, first)
        with monkeypatch.context() as without:
            without.setattr(kernel, "why_missing", lambda: "not asked for")
            plain = deblock(alone[part], model.spectra, first)
        np.testing.assert_allclose(native, plain, atol=1e-6)
        assert np.abs(native - alone[part]).max() > 1e-3


def test_a_window_is_part_of_the_whole():
    model = fitted((150, 170))
    alone, whole = samples(model.with_between("none")), samples(model)
    part = (slice(30, 110), slice(41, 140))
    found = deblock(alone[part], model.spectra, [30, 41])
    inner = (slice(reach(model.spectra), -reach(model.spectra)),) * 2
    np.testing.assert_array_equal(found[inner], whole[part][inner])
    rendered = partinr.render(model, crop=((30, 110), (41, 140)))
    np.testing.assert_array_equal(rendered, partinr.render(model)[part])


def test_jumps_of_a_smooth_signal_shrink_and_those_of_the_signal_stay():
    model = fitted((256, 256), psnr=30)
    alone, whole = samples(model.with_between("none"))[..., 0], samples(model)[..., 0]
    labels = model.partition.label_map
    border = labels[:, 1:] != labels[:, :-1]
    jumps = [np.abs(np.diff(values, axis=1))[border].mean() for values in (alone, whole)]
    assert jumps[1] < 0.75 * jumps[0]
    step = np.zeros((64, 128))
    step[:, 64:] = 1
    sharp = partinr.fit(partinr.from_array(step), goal=partinr.Compact(psnr=35), between="smooth").model
    assert np.ptp(samples(sharp)[:, 63:65]) > 0.9


def test_pictures_gain_by_it():
    from skimage.data import coffee

    signal = partinr.from_array(coffee()[100:292, 200:456], kind="image")
    with_it, without = (
        partinr.fit(signal, goal=partinr.Compact(bpp=1.0), between=between) for between in ("smooth", "none")
    )
    assert with_it.psnr > without.psnr + 0.1


def test_functions_without_spectra_have_no_such_jumps():
    model = partinr.fit(np.eye(24), partinr.Grid(2, 2), goal=partinr.Steps(5)).model
    np.testing.assert_array_equal(samples(model), samples(model.with_between("none")))
