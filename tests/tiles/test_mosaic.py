"""A function in tiles, seen as one."""

import pickle
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from skimage.data import astronaut

import partinr
from partinr import InputError, Mosaic
from partinr.model.joining import Placed, joined
from partinr.tiles import chunks
from partinr.tiles import mosaic as module
from partinr.tiles.kept import Kept, Room
from stores import stored

PICTURE = astronaut()[20:220, 90:280]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("stores") / "small.inrs", PICTURE)


@pytest.fixture(scope="module")
def whole(path):
    """All tiles in one function."""
    found = partinr.open(path)
    grid = list(np.ndindex(found.layout.grid))
    store = module.Store.open(path)
    parts = [Placed(store.layout.first(i), store.load(i)) for i in grid]
    return joined(parts, store.spec).model


def alike(found, wanted):
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    apart = np.abs(found.astype(int) - wanted.astype(int))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 2e-3


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"crop": ((60, 70), (0, 190))},
        {"crop": ((60.5, 130.25), (3, 77)), "scale": 2},
        {"scale": 0.37},
        {"size": (50, 500)},
        {"scale": 0.5, "point": True, "between": "smooth"},
        {"scale": 2.5, "between": "none"},
        {"crop": ((50, 140), (60, 70)), "derivative": "gradient"},
    ],
)
def test_renderings_are_those_of_one_function(path, whole, asked, monkeypatch):
    wanted = partinr.render(whole, **asked)
    # Small enough that outputs are made of many pieces.
    monkeypatch.setattr(module, "_MOST", 40_000)
    monkeypatch.setattr(module, "_SLAB", 100_000)
    found = partinr.open(path, memory=0)
    assert isinstance(found, Mosaic)
    whole_array = found.render(**asked)
    slabs = list(found.blocks(**asked))
    np.testing.assert_array_equal(np.concatenate(slabs).reshape(whole_array.shape), whole_array)
    if "derivative" in asked:
        np.testing.assert_allclose(whole_array, wanted, atol=2e-3 * np.abs(wanted).max())
        return
    alike(whole_array, wanted)
    if not asked:
        assert len(slabs) > 3


def test_it_is_an_array_to_look_at(path):
    found = partinr.open(path)
    all_of_it = found[...]
    assert (found.shape, found.ndim, found.dtype) == ((200, 190, 3), 3, np.uint8)
    assert 10 * np.log10(255**2 / np.square(all_of_it - PICTURE.astype(float)).mean()) > 33
    for key in (
        np.s_[3],
        np.s_[-1, 5:9],
        np.s_[60:70, 120:130],
        np.s_[::40, 189, 1],
        np.s_[150:20:-7, ::-50, ::-1],
        np.s_[..., 2],
        np.s_[5:5],
        np.s_[198:300, ..., 0],
    ):
        np.testing.assert_array_equal(found[key], all_of_it[key])
    with pytest.raises(IndexError, match="index 200 is outside of an axis of 200"):
        found[200]
    for key in (np.s_[1, 2, 3, 4], "x", np.s_[1.5], [1, 2]):
        with pytest.raises(InputError):
            found[key]


def test_dask_and_other_processes_have_the_same(path):
    found = partinr.open(path)
    lazy = found.to_dask()
    assert lazy.chunks[0] == (64, 64, 64, 8)
    np.testing.assert_array_equal(lazy[100:150].compute(scheduler="threads"), found[100:150])
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again[90:110], found[90:110])


def test_only_tiles_that_are_touched_are_read(path, tmp_path):

    copy = shutil.copytree(path, tmp_path / "copy.inrs")
    for tile in (copy / "tiles").rglob("*.inr"):
        if tile.parent.name not in ("0", "1") or tile.stem not in ("0", "1"):
            tile.unlink()
    found = partinr.open(copy)
    np.testing.assert_array_equal(found[:90, :90], partinr.open(path)[:90, :90])
    with pytest.raises(InputError, match=r"the tile tiles/0/2.inr is missing"):
        found[:100, :117]


def test_one_file_is_a_mosaic_too(tmp_path):
    model = partinr.fit(PICTURE, partinr.Grid(3, 2), goal=partinr.Steps(3), between="smooth").model
    partinr.save(model, tmp_path / "one.inr")
    found = partinr.open(tmp_path / "one.inr")
    alike(found.render(scale=0.5), partinr.render(model, scale=0.5))
    alike(found[50:80, 70:100], partinr.render(model)[50:80, 70:100])


def test_tiles_are_decoded_once_and_forgotten_in_time(path):
    store, asked = module.Store.open(path), []
    gate = threading.Barrier(4)

    def load(index):
        asked.append(index)
        return store.load(index)

    def size(model):
        return sum(a.nbytes for own in model.parameters for a in own.arrays)

    one = size(store.load((0, 0)))
    loaded = Kept(load, size, Room(3 * one))

    def get(_):
        gate.wait()
        return loaded.one((0, 0))

    with ThreadPoolExecutor(4) as threads:
        assert len({id(model) for model in threads.map(get, range(4))}) == 1
    assert asked == [(0, 0)]
    for index in np.ndindex(3, 3):
        loaded.one(index)
    loaded.one((0, 0))
    assert asked.count((0, 0)) == 2
    assert asked.count((2, 2)) == 1


def test_values_of_two_kinds_share_what_room_there_is():
    made, room = [], Room(5)
    small, large = (
        Kept(lambda name, n=n: made.append((n, name)) or name, lambda _, n=n: n, room) for n in (1, 3)
    )
    for kept, name in ((small, "a"), (large, "b"), (small, "c"), (small, "a"), (small, "d")):
        kept.one(name)
    made.clear()
    for kept, name in ((small, "a"), (small, "c"), (small, "d"), (large, "b")):
        kept.one(name)
    assert made == [(3, "b")]


def test_samples_that_are_kept_are_evaluated_once(path, monkeypatch):
    monkeypatch.setattr(chunks, "_SAMPLES", 32 * 32)
    picture, asked = partinr.open(path), []
    evaluated = picture._evaluated
    monkeypatch.setattr(picture, "_evaluated", lambda box: asked.append(box) or evaluated(box))
    kept = picture.keeping_samples()
    for crop, words in (
        (((10, 60), (33, 64)), {"scale": 2.3}),
        (((0, 64), (32, 96)), {"scale": 0.25}),
        (((4, 60), (2, 90)), {"scale": 0.5}),
    ):
        alike(kept.render(crop=crop, **words), picture.render(crop=crop, **words))
    asked.clear()
    np.testing.assert_array_equal(kept.render(crop=((5, 40), (20, 60))), kept[5:40, 20:60])
    alike(
        kept.render(crop=((5, 40), (40, 60)), derivative="gradient").clip(0, 255),
        picture.render(crop=((5, 40), (40, 60)), derivative="gradient").clip(0, 255),
    )
    assert not asked


def test_a_tile_that_cannot_be_read_can_be_asked_for_again(path):
    store, broken = module.Store.open(path), [True]

    def load(index):
        if broken:
            raise InputError("away")
        return store.load(index)

    loaded = Kept(load, lambda _: 1, Room(1 << 20))
    with pytest.raises(InputError, match="away"):
        loaded.one((0, 0))
    broken.clear()
    assert loaded.one((0, 0)).signal.shape == (64, 64)


def test_small_renderings_are_of_the_overview(tmp_path, monkeypatch):
    from partinr.tiles import overview, run
    from partinr.tiles.eighths import Eighths, StoreSource

    for one in (overview, run):
        monkeypatch.setattr(one, "FEW", 1000)
    path = stored(tmp_path / "p.inrs", astronaut()[:500, :260], side=128, step=0.05)
    exact = partinr.open(path).render(size=(25, 13))
    assert overview.write_overview(path) == path / "overview.inrs"
    found = partinr.open(path)
    assert found.overview.signal.shape == (63, 33)
    assert found.overview.overview.signal.shape == (8, 5)
    # Means over 8 x 8 samples, of those that are there at the ends.
    whole = found[...].astype(float)
    means = np.stack([whole[496:500, 8 * k : 8 * k + 8].mean((0, 1)) for k in range(32)])
    eighths = Eighths(StoreSource(path), found.signal)
    exactly = eighths.values((slice(62, 63), slice(0, 32)))[0]
    np.testing.assert_array_equal(exactly, np.rint(means))
    assert np.abs(found.overview[-1, :32] - means).mean() < 4
    shutil.rmtree(path / "tiles")
    small = found.render(size=(25, 13))
    assert 10 * np.log10(255**2 / np.square(small.astype(float) - exact).mean()) > 33
    np.testing.assert_array_equal(np.concatenate(list(found.blocks(size=(25, 13)))), small)
    np.testing.assert_array_equal(found.in_bytes().render(size=(25, 13)), small)
    with pytest.raises(InputError, match="missing"):
        partinr.open(path).render(size=(100, 100))


def test_what_cannot_be_written_to_has_an_overview_elsewhere(tmp_path, monkeypatch):
    from partinr.tiles import overview, run

    for one in (overview, run):
        monkeypatch.setattr(one, "FEW", 1000)
    path = tmp_path / "one.inr"
    partinr.save(partinr.fit(PICTURE[:128, :128], goal=partinr.Compact(psnr=30)).model, path, store="compact")
    told = []
    found = overview.seen_from_afar(path, 1 << 20, tmp_path / "elsewhere", told.append)
    assert found.overview.signal.shape == (16, 16)
    assert told
    assert overview.seen_from_afar(tmp_path / "elsewhere" / "overview.inrs", 1, tmp_path, told.append)
