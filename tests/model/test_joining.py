"""Functions of parts of a signal, joined into those of windows."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from skimage.data import astronaut

import partinr
from helpers import noise
from models import TINY, cells, scattered
from partinr import InputError, Piecewise, Siren, Structure
from partinr.model import deblocking
from partinr.model.joining import Placed, joined


@pytest.fixture(scope="module")
def picture():
    signal = partinr.from_array(astronaut()[:192, 100:292], kind="image")
    return partinr.fit(signal, goal=partinr.Compact(psnr=36), between="learned").model


def tiles(model, side):
    """The function cut into tiles that end where regions end, the last ones first."""
    whole = Placed((0,) * model.signal.dims, model)
    for corner in itertools.product(*(range(0, n, side)[::-1] for n in model.signal.shape)):
        window = [range(a, min(n, a + side)) for a, n in zip(corner, model.signal.shape, strict=True)]
        yield joined([whole], model.signal, window)


def alike(found, wanted):
    """Of 8 bits, but for values that are as near to one number as to the next."""
    apart = np.abs(found.astype(int) - wanted.astype(int))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


@pytest.mark.parametrize("between", ["none", "smooth", "learned"])
def test_tiles_that_are_joined_are_the_whole(picture, between):
    picture = picture.with_between(between)
    parts = list(tiles(picture, 64))
    assert [part.model.signal.shape for part in parts] == [(64, 64)] * 9
    whole = joined(parts, picture.signal)
    assert whole.first == (0, 0)
    assert whole.model.regions == picture.regions
    alike(partinr.render(whole.model), partinr.render(picture))
    alike(partinr.render(whole.model, scale=1.7), partinr.render(picture, scale=1.7))
    alike(partinr.render(whole.model, scale=0.3), partinr.render(picture, scale=0.3))
    alone = partinr.render(parts[0].model)
    if between != "none":
        # Jumps at the ends of a tile are no longer there once its neighbours are.
        assert np.abs(alone.astype(int) - partinr.render(picture)[128:, 128:]).max() > 1


@pytest.mark.parametrize(("between", "scale"), [("none", 3), ("smooth", 1), ("learned", 1)])
def test_a_window_has_all_that_its_middle_depends_on(picture, between, scale):
    picture = picture.with_between(between)
    parts = list(tiles(picture, 64))
    crop = ((61.0, 97.0), (70.0, 134.0))
    margin = 2 if between == "none" else deblocking.farthest(2)
    window = [
        range(max(0, int(a) - margin), min(n, int(b) + margin))
        for (a, b), n in zip(crop, picture.signal.shape, strict=True)
    ]
    found = joined(parts, picture.signal, window)
    assert found.model.regions < picture.regions
    inside = [(a - first, b - first) for (a, b), first in zip(crop, found.first, strict=True)]
    wanted = partinr.render(picture, crop=crop, scale=scale)
    alike(partinr.render(found.model, crop=inside, scale=scale), wanted)


@pytest.mark.parametrize("partition", [cells, scattered])
@pytest.mark.parametrize("blend", [True, False])
def test_networks_of_all_shapes_and_partitions(partition, blend):
    spec = replace(noise((14, 9), channels=2).spec, dtype="float32", value_range=(0.0, 1.0))
    parts = []
    for k, (first, rows) in enumerate(((0, 8), (8, 6))):
        signal = replace(spec, shape=(rows, 9))
        several = np.array([0, 1, 0]) if k else np.array([1, 0, 0])
        networks = (TINY, Siren(3, 1)) if k else (Siren(3, 1), TINY)
        structure = Structure(partition((rows, 9)), networks, signal, "local", several, blend)
        parts.append(Placed((first, 0), Piecewise(structure, tuple(structure.initialise(k)))))
    both = joined(parts, spec).model
    assert both.regions == 6
    assert both.networks == (Siren(3, 1), TINY)
    separate = [partinr.render(part.model) for part in parts]
    np.testing.assert_allclose(partinr.render(both), np.concatenate(separate), atol=1e-5)
    # On both sides of the middle between the last sample of one part and the first one of the other.
    before, after = both(np.array([[7.499 / 6.5 - 1, 0.0], [7.501 / 6.5 - 1, 0.0]]))
    assert (np.abs(before - after).max() < 0.01) == blend


def test_what_cannot_be_joined_says_why(picture):
    first, second = list(tiles(picture, 96))[:2]
    with pytest.raises(InputError, match="without gap or overlap"):
        joined([first, second._replace(first=first.first)], picture.signal)
    with pytest.raises(InputError, match="do not cover"):
        joined([first, second], picture.signal, [range(0, 10), range(0, 10)])
    with pytest.raises(InputError, match="the same axes, channels, frame"):
        joined([first, second._replace(model=replace(second.model, rounded=()))], picture.signal)
    with pytest.raises(InputError, match="joined of several"):
        partinr.save(first.model, "never.inr")
    spec = noise((12, 5)).spec
    for frame, overlap in (("local", 2), ("global", 0)):
        structure = Structure(cells((6, 5)), (TINY,), replace(spec, shape=(6, 5)), frame, overlap=overlap)
        half = Piecewise(structure, tuple(structure.initialise(0)))
        assert joined([Placed((0, 0), half)], spec, [range(2), range(2)]).model is half
        with pytest.raises(InputError, match="cannot be joined; fit"):
            joined([Placed((0, 0), half), Placed((6, 0), half)], spec)


def test_parts_that_were_rounded_in_other_ways_go_by_their_own(picture):
    parts = list(tiles(picture, 96))
    (rounding,) = parts[0].model.roundings
    coarser = replace(parts[0].model, rounded=(replace(rounding, step=2 * rounding.step),))
    mixed = joined([parts[0]._replace(model=coarser), *parts[1:]], picture.signal).model
    assert len(mixed.roundings) == 2
    same, other = partinr.render(picture), partinr.render(mixed)
    # The first of the parts is the last one of the picture.
    assert (other[:96] != same[:96]).mean() < 1e-3
    assert (other[96:, 96:] != same[96:, 96:]).mean() > 1e-3
    # What is seen of it does not depend on what else is there.
    alone = joined([parts[0]._replace(model=coarser), *parts[1:]], picture.signal, [range(100, 192)] * 2)
    alike(partinr.render(alone.model, crop=((64, 96), (64, 96))), other[160:, 160:])
