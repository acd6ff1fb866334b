"""Label maps that the user brings."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, integer_dtypes
from PIL import Image

from partinr.errors import InputError
from partinr.model.partition import Labels, rule_from_word
from partinr.signals import Signal, from_array

MAP = np.array([[7, 7, 0, 0], [7, 3, 3, 0], [1, 1, 3, 3]])
RENUMBERED = [[3, 3, 0, 0], [3, 2, 2, 0], [1, 1, 2, 2]]


def blank(shape: tuple[int, ...]) -> Signal:
    return from_array(np.zeros(shape, np.uint8), channels_last=False)


def regions(path: Path) -> list[list[int]]:
    partition = rule_from_word(f"labels:{path}").partition(blank((3, 4)))
    assert partition.rule == f"labels:{path}"
    return partition.label_map.tolist()


@given(st.data())
@settings(max_examples=80)
def test_any_integers_are_renumbered_in_ascending_order(data: st.DataObject) -> None:
    dtype = data.draw(integer_dtypes(endianness="?"))
    labels = data.draw(arrays(dtype, array_shapes(max_dims=3, max_side=6)))
    if data.draw(st.booleans()):
        labels = np.asfortranarray(labels)
    partition = Labels(labels).partition(blank(labels.shape))
    names = sorted(set(labels.ravel().tolist()))
    assert [names[region] for region in partition.label_map.ravel()] == labels.ravel().tolist()
    assert (partition.regions, partition.rule) == (len(names), "labels")


@pytest.mark.parametrize(
    "labels",
    [
        MAP,
        MAP - 5,
        -(MAP.max() - MAP.astype(np.int8)),
        MAP.astype(np.uint64) + (1 << 63),
        MAP.astype(">i2") * 300,
        np.asfortranarray(MAP),
    ],
)
def test_npy_files(tmp_path: Path, labels: np.ndarray) -> None:
    path = tmp_path / "map.npy"
    np.save(path, labels)
    assert regions(path) == RENUMBERED


def test_npy_files_of_one_and_three_axes(tmp_path: Path) -> None:
    path = tmp_path / "map.npy"
    for shape in [(24,), (2, 3, 4)]:
        labels = np.arange(24).reshape(shape) // 5 - 2
        np.save(path, labels)
        assert np.array_equal(Labels(path).partition(blank(shape)).label_map, labels + 2)


def test_booleans_are_two_regions(tmp_path: Path) -> None:
    np.save(tmp_path / "map.npy", MAP > 2)
    assert regions(tmp_path / "map.npy") == (MAP > 2).astype(int).tolist()
    assert Labels(MAP > 2).partition(blank((3, 4))).regions == 2


def palette() -> Image.Image:
    """Two indices of one colour are two regions all the same."""
    image = Image.fromarray(MAP.astype(np.uint8), "L")
    image.putpalette([200, 0, 0] * 4 + [0, 0, 0] * 252)
    assert image.mode == "P"
    return image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(MAP.astype(np.uint8)), RENUMBERED),
        (Image.fromarray((MAP * 9000).astype(np.uint16)), RENUMBERED),
        (palette(), RENUMBERED),
        (Image.fromarray(MAP > 2), (MAP > 2).astype(int).tolist()),
    ],
    ids=["grey", "grey16", "palette", "1-bit"],
)
def test_png_files(tmp_path: Path, image: Image.Image, expected: list[list[int]]) -> None:
    path = tmp_path / "map.png"
    image.save(path)
    assert regions(path) == expected


@pytest.mark.parametrize("compression", [None, "deflate", "lzw"])
@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
)
def test_tiff_files(tmp_path: Path, dtype: str, compression: str | None) -> None:
    labels = MAP - (5 if np.dtype(dtype).kind != "u" else 0)
    path = tmp_path / "map.tif"
    tifffile.imwrite(path, labels.astype(dtype), compression=compression, predictor=compression is not None)
    assert regions(path) == RENUMBERED


def test_tiff_files_of_several_planes_and_big_ones(tmp_path: Path) -> None:
    labels = np.arange(24).reshape(2, 3, 4) // 5
    tifffile.imwrite(tmp_path / "map.tif", labels.astype(np.uint16), bigtiff=True, photometric="minisblack")
    assert np.array_equal(Labels(tmp_path / "map.tif").partition(blank((2, 3, 4))).label_map, labels)


def test_tiff_files_of_fractions_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "map.tif", (MAP * 0.5).astype(np.float32))
    with pytest.raises(InputError, match="must be integers, got fractions"):
        regions(tmp_path / "map.tif")


def test_tiff_files_of_three_channels_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "map.tif", np.zeros((3, 4, 3), np.uint8), photometric="rgb")
    with pytest.raises(InputError, match=r"shape \(3, 4\) like the signal, got \(3, 4, 3\)"):
        regions(tmp_path / "map.tif")


@pytest.mark.parametrize("suffix", [".png", ".gif", ".bmp", ".tif"])
@pytest.mark.parametrize("turn", [1, 2, 8])
def test_of_palettes_the_indices_count_in_every_format(tmp_path: Path, suffix: str, turn: int) -> None:
    """Two colours are equal; an orientation turns them as the picture they belong to."""
    if turn > 1 and suffix not in (".png", ".tif"):
        pytest.skip("has no orientation")
    turned = {1: MAP, 2: np.fliplr(MAP), 8: np.rot90(MAP, -1)}[turn]
    image = Image.fromarray(turned.astype(np.uint8), "L")
    image.putpalette([200, 0, 0] * 4 + [0, 0, 0] * 252)
    exif = Image.Exif()
    exif[274] = turn
    path = tmp_path / f"map{suffix}"
    image.save(path, **({"exif": exif} if turn > 1 else {}))
    assert regions(path) == RENUMBERED


@pytest.mark.parametrize("suffix", [".gif", ".bmp", ".pgm"])
def test_grey_files_of_other_formats(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(MAP.astype(np.uint8)).save(tmp_path / f"map{suffix}")
    assert regions(tmp_path / f"map{suffix}") == RENUMBERED


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    with (tmp_path / "map.png").open("wb") as file:
        np.save(file, MAP)
    assert regions(tmp_path / "map.png") == RENUMBERED


def test_a_file_is_read_when_it_is_used(tmp_path: Path) -> None:
    rule = Labels(tmp_path / "map.npy")
    np.save(tmp_path / "map.npy", MAP)
    assert rule.partition(blank((3, 4))).regions == 4


def test_an_array_is_copied_and_compared_by_value() -> None:
    labels = MAP.copy()
    rule = Labels(labels)
    assert rule == Labels(MAP.tolist())
    assert hash(rule) == hash(Labels(MAP.astype(np.int16)))
    labels[:] = 0
    assert rule.partition(blank((3, 4))).regions == 4
    assert rule != Labels(labels)
    assert Labels("a.png") == Labels(Path("a.png")) != Labels("b.png")
    assert Labels("a.png") != rule
    assert len({rule, Labels(MAP), Labels("a.png"), Labels("a.png")}) == 2
    assert rule != "labels"


# Refusals


def test_another_shape_names_both(tmp_path: Path) -> None:
    np.save(tmp_path / "map.npy", MAP)
    Image.fromarray(MAP.astype(np.uint8)).save(tmp_path / "map.png")
    for source in (MAP, tmp_path / "map.npy", tmp_path / "map.png"):
        with pytest.raises(InputError, match=r"shape \(4, 3\) like the signal, got \(3, 4\)"):
            Labels(source).partition(blank((4, 3)))


@pytest.mark.parametrize("labels", [MAP * 1.0, MAP * 1j, MAP.astype(str), MAP.astype(object), [[1], [1, 2]]])
def test_what_is_no_integers_is_refused(labels: object) -> None:
    with pytest.raises(InputError, match="integers"):
        Labels(labels)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_images_of_several_channels_are_refused(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 3)).save(tmp_path / "map.png")
    with pytest.raises(InputError, match=f"one channel, got mode {mode}"):
        regions(tmp_path / "map.png")


def contents(labels: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "npy":
        np.save(file, labels, allow_pickle=True)
    else:
        Image.fromarray(labels.astype(np.uint8)).save(file, kind)
    return file.getvalue()


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"one two three",
        contents(MAP, "npy")[:-1],
        contents(MAP, "npy")[:60],
        contents(MAP, "npy")[:7],
        contents(MAP, "npy").replace(b"'descr'", b"'descry"),
        contents(MAP * 0.5, "npy"),
        contents(np.array([[Bomb()]]), "npy"),
        pickle.dumps(Bomb()),
        contents(np.random.default_rng(0).integers(0, 9, (3, 4)), "png")[:-30],
        contents(MAP, "png")[:20],
        contents(MAP, "tiff")[:-30],
        contents(MAP, "jpeg"),
    ],
)
def test_files_that_hold_no_labels_are_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "map.png"
    path.write_bytes(data)
    with pytest.raises(InputError) as error:
        regions(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_image_of_absurd_size_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    data = bytearray(contents(MAP, "png"))
    data[16:24] = (60000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (tmp_path / "map.png").write_bytes(data)
    with pytest.raises(InputError, match=r"got \(60000, 60000\)"):
        regions(tmp_path / "map.png")


@pytest.mark.parametrize("path", ["missing.png", ".", "missing/map.npy", "nul\0.png"])
def test_paths_without_a_file_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        regions(tmp_path / path)


def test_no_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"labels needs a file.*write labels:FILE"):
        Labels("")
