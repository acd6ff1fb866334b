"""Pyramids are read by those who know them, and hold means."""

import numpy as np
import pytest
import tifffile
import zarr
from skimage.data import astronaut

import partinr
from partinr import Axis, InputError
from partinr.signals.pyramid import halved, level_shapes
from partinr.signals.writing import write_slabs


def slabs(values, rows):
    return [values[first : first + rows] for first in range(0, len(values), rows)]


def signal(values, axes=None):
    spec = partinr.from_array(values, kind="image").spec
    return values.reshape(*spec.shape, spec.channels), partinr.SignalSpec(**{**vars(spec), "axes": axes})


@pytest.mark.parametrize(
    "values", [np.tile(astronaut(), (2, 3, 1))[:700, :1201], np.arange(600.0 * 513).reshape(600, 513)]
)
@pytest.mark.parametrize("rows", [7, 256, 5000])
def test_ome_tiff(values, rows, tmp_path):
    data, spec = signal(values, (Axis("y", "mm", 0.5), Axis("x", "mm", 0.25)))
    path = tmp_path / "p.ome.tif"
    write_slabs(path, slabs(data, rows), spec.shape, spec)
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.ome.tif"]
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert file.is_bigtiff
        assert 'PhysicalSizeX="0.25"' in file.ome_metadata
        levels = file.series[0].levels
        assert [level.shape[:2] for level in levels] == level_shapes(spec.shape)
        assert levels[0].keyframe.tile == (256, 256)
        np.testing.assert_array_equal(levels[0].asarray(), values)
        half = halved(data)
        np.testing.assert_array_equal(levels[1].asarray().reshape(half.shape), half)
    np.testing.assert_array_equal(partinr.read(path).values, data)


@pytest.mark.parametrize("shape", [(700, 1201, 3), (70, 90, 530)])
def test_ome_zarr(shape, tmp_path):
    values = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    spec = partinr.from_array(values, kind="image" if shape[-1] == 3 else "volume").spec
    data = values.reshape(*spec.shape, spec.channels)
    path = tmp_path / "p.ome.zarr"
    write_slabs(path, slabs(data, 33), spec.shape, spec)
    group = zarr.open_group(path, mode="r")
    told = group.attrs["ome"]["multiscales"][0]
    names = [axis["name"] for axis in told["axes"]]
    assert names == (["c", "y", "x"] if spec.dims == 2 else ["z", "y", "x"])
    assert [one["path"] for one in told["datasets"]] == [str(k) for k in range(len(level_shapes(spec.shape)))]
    assert told["datasets"][1]["coordinateTransformations"][0]["scale"][-spec.dims :] == [2.0] * spec.dims
    level = data
    for k in range(len(told["datasets"])):
        found = np.asarray(group[str(k)])
        wanted = np.moveaxis(level, -1, 0) if names[0] == "c" else level[..., 0]
        np.testing.assert_array_equal(found, wanted)
        level = halved(level)
    np.testing.assert_array_equal(partinr.read(path).values, data)


def test_halves(tmp_path):
    values = np.array([[1, 3, 8], [5, 7, 8], [2, 2, 9]], np.uint8)[..., None]
    np.testing.assert_array_equal(halved(values)[..., 0], [[4, 8], [2, 9]])
    data, spec = signal(np.zeros((4, 4, 7)))
    with pytest.raises(InputError, match="OME-TIFF holds pictures of 1, 3 or 4 channels"):
        write_slabs(tmp_path / "x.ome.tif", [data], spec.shape, spec)
    assert not any(tmp_path.iterdir())
