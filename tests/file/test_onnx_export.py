"""The exported graph, run by onnxruntime, has the model's values at any points."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy import ndarray

from models import NETWORKS, cells, made, scattered
from partinr import Gauss, InputError, Network, Partition, Perceptron, Piecewise, Siren, export_onnx
from partinr.file import onnx_export as export
from partinr.model.arrays import namespace
from partinr.model.networks import NETWORKS as PUBLIC
from partinr.signals.frames import Frame, raster


def exported(model: Piecewise, folder: Path) -> onnxruntime.InferenceSession:
    path = folder / "model.onnx"
    export_onnx(model, path)
    graph = onnx.load(path)
    onnx.checker.check_model(graph, full_check=True)
    # What holds for all chunks is on the right, without an axis of them: runtimes multiply no 1 matrix by 0.
    fixed = {one.name for one in graph.graph.initializer if one.name.startswith("constant")}
    assert not fixed & {node.input[0] for node in graph.graph.node if node.op_type == "MatMul"}
    # Runtimes make further names of these.
    assert len({node.name for node in graph.graph.node} - {""}) == len(graph.graph.node)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def check(model: Piecewise, session: onnxruntime.InferenceSession, points: ndarray) -> None:
    expected = model(points)
    got = session.run(None, {"coords": points})[0]
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max(initial=0)))


def test_every_network_is_tested() -> None:
    assert [network.name for network in NETWORKS] == list(PUBLIC)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
def test_one_network_for_everything(tmp_path: Path, network: Network) -> None:
    model = made(cells((7, 9), 1, 1), network)
    session = exported(model, tmp_path)
    check(model, session, raster((7, 9)))
    check(model, session, raster((3, 4))[:1])


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
@pytest.mark.parametrize("frame", get_args(Frame))
def test_every_network_in_several_regions(tmp_path: Path, network: Network, frame: Frame) -> None:
    model = made(scattered((9, 14), 6), network, frame)
    check(model, exported(model, tmp_path), raster((9, 14)))


@pytest.mark.parametrize("overlap", [None, 0, 1])
@pytest.mark.parametrize(
    "partition",
    [
        cells((23,), 7),
        cells((9, 14), 3, 4),
        cells((9, 14), 9, 14),
        cells((1, 14), 1, 4),
        cells((5, 4, 6), 2, 1, 3),
        Partition.from_boxes(
            (4, 5), np.array([[[0, 0], [3, 2]], [[3, 0], [4, 5]], [[0, 2], [3, 5]]]), "three"
        ),
        scattered((23,), 3),
        scattered((30, 31), 300),
        scattered((5, 4, 6), 11),
    ],
    ids=lambda p: f"{p.rule}-{len(p.shape)}D-{p.regions}",
)
def test_points_anywhere_in_any_number(tmp_path: Path, partition: Partition, overlap: int | None) -> None:
    model = made(partition, NETWORKS[0], blend=overlap is not None, overlap=overlap or 0)
    session = exported(model, tmp_path)
    random = np.random.default_rng(1)
    check(model, session, raster(partition.shape))
    for count in (0, 1, 2, 700):
        check(model, session, random.uniform(-1.3, 1.3, (count, len(partition.shape))).astype(np.float32))
    # All in one region: chunks of the others are never made.
    check(model, session, np.full((200, len(partition.shape)), -1, np.float32))


@pytest.mark.parametrize("partition", [cells((12, 10), 3, 5), scattered((12, 10), 13)], ids=lambda p: p.rule)
@pytest.mark.parametrize("overlap", [None, 0, 1])
def test_several_groups(tmp_path: Path, partition: Partition, overlap: int | None) -> None:
    model = made(partition, NETWORKS, blend=overlap is not None, overlap=overlap or 0)
    session = exported(model, tmp_path)
    check(model, session, np.random.default_rng(1).uniform(-1.3, 1.3, (300, 2)).astype(np.float32))
    check(model, session, raster(partition.shape))
    check(model, session, raster(partition.shape)[5:8])  # most groups have no point
    check(model, session, np.zeros((0, 2), np.float32))


@pytest.mark.parametrize("partition", [cells((9, 5), 9, 5), scattered((9, 5), 40)], ids=lambda p: p.rule)
def test_half_way_between_samples_as_the_model_does(tmp_path: Path, partition: Partition) -> None:
    axes = [np.arange(2 * n + 1, dtype=np.float32) / (n - 1) - 1 - 1 / (n - 1) for n in partition.shape]
    points = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
    model = made(partition, NETWORKS[0])
    check(model, exported(model, tmp_path), points)


def test_far_points_belong_to_the_border(tmp_path: Path) -> None:
    model = made(cells((9, 5), 3, 1), Siren(hidden=1, layers=0), "global")
    session = exported(model, tmp_path)
    for parameters in model.parameters:
        parameters.weights[0][...] = 0
        parameters.biases[0][...] = np.arange(3.0)[:, None] / 60
    constant = exported(model, tmp_path)
    far = np.array([[1e30, 0], [-1e30, 0], [1e9, -1e9], [np.inf, np.inf]], np.float32)
    near = np.clip(far, -1, 1)
    np.testing.assert_array_equal(
        constant.run(None, {"coords": far[:3]})[0], constant.run(None, {"coords": near[:3]})[0]
    )
    # No coordinate makes it fail.
    assert session.run(None, {"coords": np.full((3, 2), np.nan, np.float32)})[0].shape == (3, 2)
    assert session.run(None, {"coords": far})[0].shape == (4, 2)


def test_memory_grows_with_the_points_and_not_with_points_times_weights(tmp_path: Path) -> None:
    hidden, repeats = 64, 4
    export_onnx(made(scattered((64, 64), 4), Siren(hidden=hidden, layers=1)), tmp_path / "model.onnx")
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile")
    session = onnxruntime.InferenceSession(
        tmp_path / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    points = np.tile(raster((64, 64)), (repeats, 1))
    session.run(None, {"coords": points})
    profile = Path(session.end_profiling()).read_text()
    largest = max(int(size) for size in re.findall(r'"output_size" ?: ?"(\d+)"', profile))
    features = 4 * len(points) * hidden
    assert features <= largest < 1.2 * features


def test_what_the_file_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(made(cells((9, 14), 3, 4), NETWORKS[0], span=(-1.0, 3.0)), path)
    proto = onnx.load(path)
    told = {entry.key: entry.value for entry in proto.metadata_props}
    assert told == {"shape": "9 14", "value_range": "-1.0 3.0", "dtype": "float32"}
    assert [(x.name, x.type.tensor_type.shape.dim[0].dim_param) for x in proto.graph.input] == [
        ("coords", "points")
    ]
    assert [x.name for x in proto.graph.output] == ["values"]


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for path in paths:
        export_onnx(made(cells((9, 14), 3, 4), NETWORKS), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_without_onnx_there_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"partinr\[onnx\]"):
        export_onnx(made(cells((4,), 1), NETWORKS[0]), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("activation", "says"),
    [
        (lambda z: namespace(z).arctan(z), "it may use sin, .*, where, take and concatenate, got arctan"),
        (lambda z: z[:, :1], r"it may index with \[..., a:b\] alone"),
        (lambda z: z.clip(0), "clip"),
        (lambda z: z // 2, "//"),
    ],
)
def test_a_network_without_an_onnx_form_is_refused(
    tmp_path: Path, activation: Callable[[Any], Any], says: str
) -> None:
    @dataclass(frozen=True)
    class Strange(Perceptron):
        name: ClassVar[str] = "strange"
        initialise = Gauss.initialise

        def activate(self, z: Any, layer: int) -> Any:  # noqa: ARG002
            return activation(z)

    with pytest.raises(InputError, match=f"strange has no ONNX form: .*{says}") as caught:
        export_onnx(made(cells((4,), 1), Strange(3, 1)), tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_too_large_for_a_protocol_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_MOST_BYTES", 1000)
    with pytest.raises(InputError, match="less than 2 GiB"):
        export_onnx(made(cells((9, 14), 3, 4), NETWORKS[0]), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        export_onnx(made(cells((4,), 1), NETWORKS[0]), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
