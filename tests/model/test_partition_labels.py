"""Label maps that the user brings."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
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
@settings(deadline=None, max_examples=80)
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
        contents(MAP, "tiff"),
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
