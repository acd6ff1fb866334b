"""Collections, crops, and reading ahead."""

from __future__ import annotations

import os
import pickle
import signal
import time
from collections.abc import Iterator
from itertools import islice, repeat
from multiprocessing import active_children
from pathlib import Path

import lmdb
import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from partinr import Grid, InputError, Signal, Whole, from_array, open_collection
from partinr.meta.collection import Collection, shuffled, split
from partinr.meta.crops import Crop, coloured
from partinr.meta.loading import Loader, Preparation, Wanted, loading


def photo(seed: int, rows: int = 20, columns: int = 24) -> ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, one of them further down, and things that are none."""
    root = tmp_path / "photos"
    (root / "deeper" / "still").mkdir(parents=True)
    Image.fromarray(photo(0)).save(root / "b.png")
    Image.fromarray(photo(1)).save(root / "deeper" / "still" / "a.bmp")
    np.save(root / "c.npy", photo(2))
    (root / "notes.txt").write_text("no picture")
    (root / ".hidden.png").write_bytes(b"")
    (root / "deeper" / "paper.pdf").write_bytes(b"%PDF")
    return root


def database(path: Path, images: dict[bytes, bytes]) -> Path:
    """A small LSUN database, made as LSUN's are."""
    path.mkdir()
    with lmdb.open(str(path), map_size=1 << 22) as environment, environment.begin(write=True) as transaction:
        for key, value in images.items():
            transaction.put(key, value)
    return path


@pytest.fixture
def lsun(tmp_path: Path) -> Path:
    made = {}
    for i, suffix in enumerate(["webp", "png"]):
        Image.fromarray(photo(i)).save(tmp_path / f"x.{suffix}", lossless=True)
        made[f"key{i}".encode()] = (tmp_path / f"x.{suffix}").read_bytes()
    return database(tmp_path / "church_outdoor_val_lmdb", made)


def all_of(collection: Collection) -> dict[str, ndarray]:
    return {collection.name(i): collection.read(i).values for i in range(len(collection))}


def test_a_folder_is_read_to_its_depth(folder: Path) -> None:
    found = all_of(open_collection(folder))
    assert list(found) == ["b.png", "c.npy", str(Path("deeper/still/a.bmp"))]
    for values, seed in zip(found.values(), [0, 2, 1], strict=True):
        assert np.array_equal(values, photo(seed))


def test_an_lsun_database(lsun: Path) -> None:
    found = all_of(open_collection(lsun))
    assert list(found) == ["key0", "key1"]
    for seed, values in enumerate(found.values()):
        assert np.array_equal(values, photo(seed))


def test_a_list_of_paths_is_relative_to_itself(folder: Path) -> None:
    (folder / "list.txt").write_text("b.png\n\n  deeper/still/a.bmp \n")
    collection = open_collection(folder / "list.txt")
    assert list(all_of(collection)) == ["b.png", str(Path("deeper/still/a.bmp"))]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be", "utf-16-le"])
def test_lists_of_any_line_ends_and_byte_order_marks(tmp_path: Path, encoding: str, ends: str) -> None:
    mark = "\ufeff" if encoding.endswith(("-be", "-le")) else ""
    Image.fromarray(photo(0)).save(tmp_path / "bär.png")
    Image.fromarray(photo(1)).save(tmp_path / "b.png")
    (tmp_path / "list.txt").write_bytes(f"{mark}bär.png{ends}b.png{ends}".encode(encoding))
    found = all_of(open_collection(tmp_path / "list.txt"))
    assert list(found) == ["bär.png", "b.png"]
    assert np.array_equal(found["bär.png"], photo(0))


def test_a_list_of_utf_16_that_does_not_say_so_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("a.png\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="text file of paths"):
        open_collection(tmp_path / "list.txt")


def test_collections_can_be_sent_to_other_processes(folder: Path, lsun: Path) -> None:
    for path in (folder, lsun):
        collection = open_collection(path)
        collection.read(0)
        again = pickle.loads(pickle.dumps(collection))
        assert np.array_equal(again.read(0).values, collection.read(0).values)


def test_what_is_no_collection(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.txt").write_text("\n \n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "data.mdb").write_bytes(b"nonsense" * 100)
    for path, message in [
        (tmp_path / "missing", "no such folder or file"),
        (tmp_path / "empty", "no images"),
        (tmp_path / "none.txt", "the list is empty"),
        (folder / "b.png", "got another file"),
        (tmp_path / "broken", "not a database"),
        (database(tmp_path / "nothing", {}), "the database is empty"),
        (tmp_path / "nul\0", "no such folder"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            open_collection(path)
        assert "\n" not in str(caught.value)


def test_a_damaged_image_of_a_database_is_named_by_its_key(tmp_path: Path) -> None:
    collection = open_collection(database(tmp_path / "some_lmdb", {b"good": b"no image", b"void": b""}))
    with pytest.raises(InputError, match="some_lmdb, key good"):
        collection.read(0)
    with pytest.raises(InputError, match="key void: nothing is stored"):
        collection.read(1)


@pytest.mark.parametrize("held_out", [0, 1, 2])
def test_a_split_loses_nothing_and_shares_nothing(folder: Path, held_out: int) -> None:
    whole = open_collection(folder)
    kept, out = split(whole, held_out, seed=3)
    names = [part.name(i) for part in (kept, out) for i in range(len(part))]
    assert sorted(names) == sorted(whole.name(i) for i in range(3))
    assert len(out) == held_out
    assert [len(split(whole, held_out, seed=3)[1])] == [held_out]
    with pytest.raises(InputError, match="at most 2"):
        split(whole, 3, seed=0)


def test_the_seed_decides_the_split() -> None:
    orders = {tuple(shuffled(50, seed)[:5].tolist()) for seed in range(20)}
    assert len(orders) == 20
    assert sorted(shuffled(50, 1).tolist()) == list(range(50))


class TestCrops:
    """Sizes, places and colours."""

    def test_the_centre(self) -> None:
        picture = from_array(photo(0, 21, 24), kind="image")
        part = Crop((8, 10)).of(picture)
        assert np.array_equal(part.values, picture.values[6:14, 7:17])
        assert part.shape == part.spec.shape == (8, 10)

    def test_random_places_cover_the_picture(self) -> None:
        values = np.arange(20 * 24, dtype=np.float32).reshape(20, 24)
        signal = from_array(values, value_range=(0, 480))
        crop = Crop((18, 23), where="random")
        firsts = {float(crop.of(signal, draw).values[0, 0, 0]) for draw in range(60)}
        assert firsts == {float(values[i, j]) for i in range(3) for j in range(2)}
        assert np.array_equal(crop.of(signal, 7).values, crop.of(signal, 7).values)

    def test_too_large(self) -> None:
        with pytest.raises(InputError, match="smaller than the crop: 20 x 24 samples against 20 x 25"):
            Crop((20, 25)).of(from_array(photo(0), kind="image"))

    @pytest.mark.parametrize(("size", "shape"), [((10, 10), (20, 24)), ((40, 20), (20, 24))])
    def test_resized_until_it_just_fits(self, size: tuple[int, ...], shape: tuple[int, ...]) -> None:
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        picture = from_array(((rows + columns) * 5).astype(np.uint8)[..., None].repeat(3, 2), kind="image")
        part = Crop(size, resize=True).of(picture)
        assert part.shape == size
        assert part.values.dtype == np.uint8
        # The centre stays where it was.
        middle = float(picture.values[..., 0].mean())
        assert float(part.values[..., 0].mean()) == pytest.approx(middle, abs=2)

    def test_other_axes(self) -> None:
        with pytest.raises(InputError, match="expected 1 axis, got 2 axes"):
            Crop((8,)).of(from_array(photo(0), kind="image"))
        assert Crop((8,)).of(from_array(np.linspace(0, 1, 30))).shape == (8,)

    @pytest.mark.parametrize("size", [(), (0, 4), (1, 2, 3, 4)])
    def test_impossible_sizes(self, size: tuple[int, ...]) -> None:
        with pytest.raises(InputError, match="a crop has"):
            Crop(size)

    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_colours_of_pictures(self, channels: int) -> None:
        values = np.random.default_rng(0).integers(0, 256, (4, 5, channels), dtype=np.uint8)
        picture = from_array(values, kind="image")
        rgb, grey = coloured(picture, "rgb"), coloured(picture, "grey")
        assert rgb.channels == 3
        assert grey.channels == 1
        first = values[..., :3] if channels > 2 else values[..., :1]
        assert np.array_equal(rgb.values, np.broadcast_to(first, (4, 5, 3)))
        luma = first @ [0.299, 0.587, 0.114] if channels > 2 else first[..., 0]
        assert np.abs(grey.values[..., 0] - luma).max() <= 0.5

    def test_arrays_keep_their_channels_where_nothing_is_asked(self) -> None:
        signal = from_array(np.zeros((4, 5, 2)), channels_last=True, value_range=(0, 1))
        assert coloured(signal, None) is signal

    def test_arrays_become_what_is_asked_where_that_is_defined(self) -> None:
        values = np.random.default_rng(0).random((4, 5, 3))
        array = from_array(values, value_range=(0, 1))
        grey = coloured(array, "grey")
        np.testing.assert_allclose(grey.values[..., 0], values @ [0.299, 0.587, 0.114])
        assert np.array_equal(coloured(grey, "rgb").values, grey.values.repeat(3, -1))
        with pytest.raises(InputError, match="array of 2 channels cannot be made grey"):
            coloured(from_array(values[..., :2]), "grey")


class Endless(Collection):
    """One signal, which takes two minutes to read."""

    def __len__(self) -> int:
        return 1

    def name(self, index: int) -> str:
        return str(index)

    def read(self, index: int) -> Signal:
        time.sleep(120)
        return from_array(photo(index))


class TestLoading:
    """In order, whoever decodes; what cannot be used is skipped and named."""

    @pytest.fixture
    def mixed(self, tmp_path: Path) -> Preparation:
        """Six pictures, of which the third is damaged and the last too small."""
        for i in range(6):
            path = tmp_path / f"{i}.png"
            Image.fromarray(photo(i, *((20, 24) if i < 5 else (3, 3)))).save(path)
        damaged = tmp_path / "2.png"
        damaged.write_bytes(damaged.read_bytes()[:200])
        return Preparation(open_collection(tmp_path), Crop((10, 12)), Grid(2, 2))

    @pytest.mark.parametrize("workers", [0, 2])
    def test_order_and_replacements(self, mixed: Preparation, workers: int) -> None:
        asked = [0, 2, 4, 5, 1, 1, 3, 0]
        with loading(mixed, workers) as loader:
            got = list(loader.load([Wanted(i) for i in asked]))
        assert [one.name for one in got] == [f"{i}.png" for i in (0, 3, 4, 0, 1, 1, 3, 0)]
        assert sorted(loader.skipped) == ["2.png", "5.png"]
        assert "smaller than the crop" in loader.skipped["5.png"]
        for one in got:
            assert one.partition.shape == one.signal.shape == (10, 12)
            assert np.array_equal(one.signal.values, photo(int(one.name[0]))[5:15, 6:18])

    def test_a_stream_may_end_early_and_another_follow(self, mixed: Preparation) -> None:
        def endless() -> Iterator[Wanted]:
            while True:
                yield from (Wanted(0), Wanted(1))

        with loading(mixed, 1) as loader:
            first = [one.name for one in islice(loader.load(endless()), 3)]
            second = [one.name for one in loader.load([Wanted(4)])]
        assert (first, second) == (["0.png", "1.png", "0.png"], ["4.png"])

    def test_a_worker_that_is_killed_ends_the_loading(self, mixed: Preparation) -> None:
        def load_and_kill(loader: Loader) -> None:
            for _ in loader.load(repeat(Wanted(0), 10_000)):
                os.kill(active_children()[0].pid or 0, signal.SIGKILL)

        said = "a process that decodes images was ended"
        with pytest.raises(MemoryError, match=said), loading(mixed, 2) as loader:
            load_and_kill(loader)
        assert active_children() == []

    def test_workers_hear_no_signals_not_even_while_they_start(self, mixed: Preparation) -> None:
        def asked() -> Iterator[Wanted]:
            for i in range(2):
                yield Wanted(i)
                for process in active_children():
                    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                        os.kill(process.pid or 0, number)

        with loading(mixed, 2) as loader:
            assert [one.name for one in loader.load(asked())] == ["0.png", "1.png"]

    def test_what_is_under_way_is_not_waited_for(self) -> None:
        def interrupted() -> Iterator[Wanted]:
            yield Wanted(0)
            raise KeyboardInterrupt

        began = time.monotonic()
        endless = Preparation(Endless(), Crop((4, 4)), Whole())
        with pytest.raises(KeyboardInterrupt), loading(endless, 1) as loader:
            list(loader.load(interrupted()))
        assert active_children() == []
        assert time.monotonic() - began < 60

    def test_none_left(self, tmp_path: Path) -> None:
        for i in range(3):
            (tmp_path / f"{i}.png").write_bytes(b"no picture")
        for workers in (0, 1):
            preparation = Preparation(open_collection(tmp_path), Crop((4, 4)), Whole())
            with (
                loading(preparation, workers) as loader,
                pytest.raises(InputError, match=r"none of 3 signals can be used; 1\.png"),
            ):
                list(loader.load([Wanted(1)]))
