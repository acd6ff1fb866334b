"""Sources and stores at addresses: right values, few bytes, and one line where something is wrong."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from skimage.data import astronaut

import partinr
from cli_helpers import run, save_picture
from partinr.tiles.opening import opened_source
from partinr.tiles.source import SourceChanged
from web import Web, served

RGB = np.tile(astronaut()[:384, :512], (3, 2, 1))  # 1152 x 1024, all parts of it alike
PART = (slice(300, 420), slice(500, 700))


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """What lies in a folder of its own, at an address."""
    (tmp_path / "web").mkdir()
    with served(tmp_path / "web") as found:
        yield found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 3 x 3 tiles."""
    path = tmp_path_factory.mktemp("store") / "a.inrs"
    partinr.fit_tiles(RGB[:384, :384], path, goal=partinr.Compact(psnr=34), tile=128, workers=1)
    return path


def _h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x/a", data=RGB, chunks=(128, 128, 3), compression="gzip")
        file["b"] = RGB[:8, :8]


def _pyramid(path: Path) -> None:
    group = zarr.open_group(path, mode="w")
    for level in range(2):
        array = RGB[:: 1 + level, :: 1 + level, 0]
        group.create_array(str(level), data=array, chunks=(128, 128), compressors=None)
    group.attrs["ome"] = {"multiscales": [{"datasets": [{"path": "0"}, {"path": "1"}]}]}


@pytest.mark.parametrize(
    ("name", "inside", "write"),
    [
        ("a.tif", "", lambda p: tifffile.imwrite(p, RGB, tile=(128, 128), compression="zlib")),
        ("a.tif", "", lambda p: tifffile.imwrite(p, RGB, photometric="rgb")),
        (
            "a.tif",
            "",
            lambda p: tifffile.imwrite(p, RGB.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
        ),
        ("a.h5", ":/x/a", _h5),
        ("a.ome.zarr", "", _pyramid),
        ("a.ome.zarr", ":/1", _pyramid),
        ("a.zarr", "", lambda p: zarr.create_array(p, data=RGB, chunks=(128, 128, 3), zarr_format=2)),
    ],
)
def test_parts_of_sources(web: Web, tmp_path: Path, name: str, inside: str, write: Any) -> None:
    write(tmp_path / "web" / name)
    here, there = (opened_source(f"{place}/{name}{inside}") for place in (tmp_path / "web", web.url))
    assert there.spec == here.spec
    window = tuple(slice(a.start // 2, a.stop // 2) for a in PART) if inside == ":/1" else PART
    web.bytes()
    assert np.array_equal(there.values(window), here.values(window))
    # 4 to 6 chunks of 128 x 128, or rows and a little between; not the 3.5 MB of all.
    assert 0 < web.bytes() < 700_000
    there.close()
    here.close()


def test_a_fit_of_what_is_elsewhere(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "web" / "a.tif"
    tifffile.imwrite(path, RGB[:200, :300], tile=(64, 64), compression="zlib")
    save_picture(tmp_path / "web" / "a.png", RGB[:200, :300])
    for name in ("a.tif", "a.png"):
        options: dict[str, Any] = {"goal": partinr.Compact(psnr=35), "tile": 128, "workers": 1}
        partinr.fit_tiles(tmp_path / "web" / name, tmp_path / "here.inrs", **options)
        partinr.fit_tiles(f"{web.url}/{name}", tmp_path / "there.inrs", **options)
        tiles = sorted((tmp_path / "here.inrs" / "tiles").rglob("*.inr"))
        assert len(tiles) == 6
        for tile in tiles:
            other = tmp_path / "there.inrs" / tile.relative_to(tmp_path / "here.inrs")
            assert other.read_bytes() == tile.read_bytes()
        shutil.rmtree(tmp_path / "here.inrs")
        shutil.rmtree(tmp_path / "there.inrs")


def test_stores_and_files(web: Web, tmp_path: Path, store: Path) -> None:
    folder = tmp_path / "web"
    shutil.copytree(store, folder / "a.inrs")
    for name in ("a.inrs.zip", "a.zip.inrs"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            for file in sorted(store.rglob("*.*")):
                archive.write(file, file.relative_to(store))
    tile = (store / "tiles" / "1" / "1.inr").stat().st_size
    crop = partinr.open(store)[180:190, 180:190]
    for name in ("a.inrs", "a.inrs?key=1", "a.inrs.zip", "a.zip.inrs", "a.zip.inrs?key=1"):
        assert np.array_equal(partinr.open(f"{web.url}/{name}")[180:190, 180:190], crop)
        names = {file for file, _ in web.sent}
        count = web.bytes()
        if "zip" not in name:
            assert names == {"manifest.json", "1.inr"}
            assert count < tile + 2000
    shutil.copy(store / "tiles" / "1" / "1.inr", folder / "b.inr")
    assert partinr.open(f"{web.url}/b.inr").shape == (128, 128, 3)
    assert f"{web.url}/b.inr" in run("info", f"{web.url}/b.inr").out
    assert run("view", f"{web.url}/b.inr", "-o", str(tmp_path / "b.html"), "-q").code == 0
    assert (tmp_path / "b.html").stat().st_size > 1000
    run("render", f"{web.url}/b.inr", "-o", tmp_path / "b.png")
    assert partinr.read(tmp_path / "b.png").shape == (128, 128)
    for wrong, words in (("c.inr", "no such file"), ("c.inrs", "no manifest"), ("c.tif", "ends in .inr")):
        with pytest.raises(partinr.InputError, match=words):
            partinr.open(f"{web.url}/{wrong}")


def test_a_zip_file_is_read_in_parts(web: Web, tmp_path: Path) -> None:
    """A tile of one that is much larger than what is read at once."""
    noise = np.random.default_rng(0).integers(0, 256, (1 << 20) - 7, np.uint8).tobytes()
    with zipfile.ZipFile(tmp_path / "web" / "a.inrs.zip", "w") as archive:
        for n in range(5):
            archive.writestr(f"tiles/{n}.inr", noise[n:])
    from partinr.tiles.place import opened_place

    place = opened_place(f"{web.url}/a.inrs.zip")
    web.bytes()
    assert place.read("tiles/3.inr") == noise[3:]
    assert web.bytes() < len(noise) + 200_000


def test_servers_that_fail(web: Web, tmp_path: Path, store: Path) -> None:
    path = tmp_path / "web" / "a.tif"
    tifffile.imwrite(path, RGB, tile=(128, 128), compression="zlib")
    source = opened_source(f"{web.url}/a.tif")
    before = source.identity()
    path.touch()
    assert source.identity() != before
    web.fails = True
    with pytest.raises(partinr.InputError, match=f"cannot read {web.url}/a.tif: 500"):
        source.values(PART)
    with pytest.raises(SourceChanged, match=r"500, .*go on with --resume"):
        source.identity()
    web.fails, web.parts = False, False
    with pytest.raises(partinr.InputError, match="in parts: of bytes 0 to 65,536 its server sends"):
        opened_source(f"{web.url}/a.tif")
    path.unlink()
    with pytest.raises(partinr.InputError, match="no such file"):
        opened_source(f"{web.url}/a.tif")
    with pytest.raises(SourceChanged, match="no longer there"):
        source.identity()
    # Whoever may not look what is there is refused what is not.
    shutil.copytree(store, tmp_path / "web" / "a.inrs")
    web.missing = 403
    assert partinr.open(f"{web.url}/a.inrs").render(size=(10, 10)).shape == (10, 10, 3)
    with pytest.raises(partinr.InputError, match="403"):
        partinr.open(f"{web.url}/b.inrs")


def test_nobody_answers() -> None:
    for name in ("a.tif", "a.zarr", "a.png"):
        with pytest.raises(partinr.InputError, match=r"cannot read .*Cannot connect"):
            opened_source(f"http://127.0.0.1:9/{name}")
    with pytest.raises(partinr.InputError, match="Cannot connect"):
        partinr.open("http://127.0.0.1:9/a.inrs")
