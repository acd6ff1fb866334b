"""The store: what is written is read back, and what is damaged is said to be."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import partinr
from partinr.file.compact_inr import compact
from partinr.file.spectra_coding import write_spectra
from partinr.signals.signal import SignalSpec
from partinr.tiles.addresses import address, is_address
from partinr.tiles.layout import Layout, layout_of
from partinr.tiles.place import made_place
from partinr.tiles.store import MANIFEST, Manifest, Record, Store, Tile, is_store, records_at, tile_name

SPEC = SignalSpec("image", (100, 150), 1, "uint8", (0.0, 255.0), False)


def picture() -> np.ndarray:
    """A soft picture with an edge."""
    y, x = np.mgrid[:100, :150]
    return (120 + 60 * np.sin(x / 9) * np.cos(y / 13) + 50 * (x + y > 120)).astype(np.uint8)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished store of 2 x 3 tiles, made by hand."""
    path = tmp_path_factory.mktemp("stores") / "small.inrs"
    place, layout, values = made_place(path), Layout(SPEC.shape, (64, 64)), picture()
    tiles = []
    for number in range(layout.count):
        index = layout.index(number)
        part = tuple(slice(a, a + n) for a, n in zip(layout.first(index), layout.extent(index), strict=True))
        result = partinr.fit(
            partinr.from_array(values[part], kind="image", channels_last=False),
            goal=partinr.Compact(psnr=45),
            between="none",
        )
        assert result.model.spectra is not None
        payload = compact(result.model, write_spectra(result.model.spectra), {})
        place.write(tile_name(index), payload)
        samples = values[part].size
        tiles.append(Tile.of(payload, 10 ** (-result.psnr / 10) * samples, samples))
    manifest = Manifest(SPEC, (64, 64), 0.01, ((1.0,),), {"psnr": 45.0}, {}, tuple(tiles), {"partinr": "0"})
    place.write(MANIFEST, manifest.text().encode())
    return path


@pytest.mark.parametrize(
    ("shape", "channels", "side"),
    [
        ((30000, 20000), 3, (1024, 1024)),
        ((30000, 20000), 1, (1024, 1024)),
        ((500, 600, 700), 1, (96, 96, 96)),
        ((10, 50000, 50000), 1, (16, 320, 320)),
        ((10**9,), 2, (1 << 20,)),
        ((30, 20000), 3, (64, 20032)),
        ((3000, 2000), 200, (128, 128)),
    ],
)
def test_usual_tiles(shape: tuple[int, ...], channels: int, side: tuple[int, ...]) -> None:
    layout = layout_of(shape, channels)
    assert layout.side == side
    assert [layout.number(layout.index(n)) for n in (0, layout.count - 1)] == [0, layout.count - 1]
    last = layout.index(layout.count - 1)
    assert [a + n for a, n in zip(layout.first(last), layout.extent(last), strict=True)] == list(shape)


def test_tiles_touching_a_window_are_those_whose_samples_it_has() -> None:
    layout = Layout((100, 150), (64, 64))
    owner = np.zeros(layout.shape, int)
    for number in range(layout.count):
        i, j = layout.index(number)
        owner[64 * i : 64 * i + 64, 64 * j : 64 * j + 64] = number
    for first, shape in (((0, 0), (1, 1)), ((63, 60), (2, 70)), ((-5, 140), (20, 40)), ((64, 128), (9, 9))):
        window = owner[tuple(slice(max(a, 0), a + n) for a, n in zip(first, shape, strict=True))]
        assert [layout.number(i) for i in layout.touching(first, shape)] == sorted(set(window.ravel()))


def test_tiles_of_other_sides_are_refused() -> None:
    with pytest.raises(partinr.InputError, match=r"multiple of 64 .* got 100; take 128"):
        layout_of((1000, 1000), 3, 100)


def test_a_store_is_read_back(made: Path, tmp_path: Path) -> None:
    packed = tmp_path / "small.inrs.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in made.rglob("*.*"):
            archive.write(file, f"small.inrs/{file.relative_to(made)}")
    shutil.copytree(made, tmp_path / "copy.inrs")
    for path in (made, packed, f"file://{tmp_path}/copy.inrs", Path(f"file://{tmp_path}/copy.inrs")):
        assert is_store(path)
        store = Store.open(path)
        assert store.spec == SPEC
        assert store.layout.grid == (2, 3)
        assert store.psnr >= 45
        whole = np.zeros(SPEC.shape, np.uint8)
        for index in store.tiles_touching((0, 0), SPEC.shape):
            y, x = store.layout.first(index)
            tile = partinr.render(store.load(index))
            whole[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        assert partinr.psnr(picture(), whole, 255) == pytest.approx(store.psnr, abs=1e-6)


def test_addresses_survive_being_paths() -> None:
    assert address(Path("s3://bucket/a.inrs")) == "s3://bucket/a.inrs"
    assert address("https://host/a.inrs") == "https://host/a.inrs"
    assert not is_address("/a/b.inrs")
    assert not is_address("file.h5:/path")


def _changed(made: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "changed.inrs"
    shutil.copytree(made, copy)
    return copy


def test_tiles_that_are_not_those_of_the_manifest(made: Path, tmp_path: Path) -> None:
    copy = _changed(made, tmp_path)
    (copy / tile_name((0, 0))).unlink()
    shutil.copy(copy / tile_name((0, 2)), copy / tile_name((0, 1)))
    rows = json.loads((copy / MANIFEST).read_text())
    rows["tiles"][5] = rows["tiles"][4]
    shutil.copy(copy / tile_name((1, 1)), copy / tile_name((1, 2)))
    rows["tiles"][5][3] = 0
    (copy / MANIFEST).write_text(json.dumps(rows))
    store = Store.open(copy)
    for index, words in (((0, 0), "missing"), ((0, 1), "damaged, or another"), ((1, 2), "must have shape")):
        with pytest.raises(partinr.InputError, match=words) as told:
            store.load(index)
        assert tile_name(index) in str(told.value)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tiles": []}, "for each of 6 tiles, it has 0"),
        ({"tiles": [[1, "0" * 16, 0.0, 1]] * 7}, "for each of 6 tiles, it has 7"),
        ({"tiles": [[1, "0" * 16, 0.0, 10**6]] * 6}, "bytes, checksum, error and samples"),
        (
            {"tiles": [[1, "0" * 16, 0.0, 1]] * 5 + [[1, "0" * 15, 0.0, 1]]},
            "bytes, checksum, error and samples",
        ),
        ({"tiles": [[1, "0" * 16, 0.0, 1]] * 5 + [[1, "0" * 16, 10**400, 1]]}, "checksum, error and samples"),
        ({"tiles": [[1, "0" * 16, 0, 1]] * 5 + [[True, "0" * 16, 0, 1]]}, "checksum, error and samples"),
        ({"tiles": [[1, "0" * 16, 0, 1]] * 5 + [[1, "0" * 16, 0, 64 * 64]]}, "checksum, error and samples"),
        ({"tile": [60, 60]}, "multiples of 64"),
        ({"tile": [64]}, "multiples of 64"),
        ({"step": None}, "step must be"),
        ({"mixing": [[1.0, 0.0]]}, "mixing must be 1 rows"),
        ({"format": 2}, "upgrade partinr"),
        ({"signal": {}}, "kind"),
    ],
)
def test_manifests_that_are_none(made: Path, tmp_path: Path, change: dict[str, object], words: str) -> None:
    copy = _changed(made, tmp_path)
    (copy / MANIFEST).write_text(json.dumps(json.loads((copy / MANIFEST).read_text()) | change))
    with pytest.raises(partinr.InputError, match=words):
        Store.open(copy)


def test_no_stores(tmp_path: Path) -> None:
    (tmp_path / "a.inrs").mkdir()
    (tmp_path / "b.inrs").write_bytes(b"text")
    for name, words in (("a.inrs", "no store"), ("b.inrs", "a folder or a zip file"), ("c.inrs", "No such")):
        with pytest.raises(partinr.InputError, match=words):
            Store.open(tmp_path / name)


def test_the_journal_of_an_unfinished_fit(made: Path, tmp_path: Path) -> None:
    copy = _changed(made, tmp_path)
    manifest = Store.open(copy).manifest
    assert manifest.tiles is not None
    lines = [Record(n, 0, 0.01, manifest.tiles[n]).line() for n in (4, 2)]
    fields = json.loads((copy / MANIFEST).read_text())
    del fields["tiles"]
    (copy / MANIFEST).write_text(json.dumps(fields))
    (copy / "journal.jsonl").write_bytes(b"".join(lines) + lines[0][:-9])
    with pytest.raises(partinr.InputError, match="2 of 6 tiles"):
        Store.open(copy)
    unfinished = Manifest.parsed((copy / MANIFEST).read_bytes())
    assert [one.number for one in records_at(made_place(copy), unfinished)] == [4, 2]
    (copy / "journal.jsonl").write_bytes(lines[0][:-9] + b"\n" + lines[1])
    with pytest.raises(partinr.InputError, match=r"line 1 .* damaged"):
        records_at(made_place(copy), unfinished)
