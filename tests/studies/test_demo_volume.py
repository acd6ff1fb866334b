"""The demonstration of a volume, from end to end with a small scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import partinr
from cli_helpers import run as run_command
from page_parser import require_self_contained
from partinr.signals.metrics import psnr
from partinr.signals.volumes.geometry import affine_of
from partinr.studies.demo_volume import VolumeDemo, VolumeSettings, body, run, scanned

SMALL = VolumeSettings(shape=(20, 60, 52))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[VolumeDemo, list[tuple[str, float]]]:
    told: list[tuple[str, float]] = []
    folder = tmp_path_factory.mktemp("demo") / "new"
    return run(folder, lambda message, share: told.append((message, share)), settings=SMALL), told


def test_the_files_are_the_scan_and_what_lies_between(done: tuple[VolumeDemo, object]) -> None:
    result, _ = done
    scan, thin = partinr.read(result.scan), partinr.read(result.thin)
    np.testing.assert_array_equal(scan.values, scanned(SMALL.shape, 0).values)
    kept = partinr.load(result.inr).signal
    assert (kept.axes, kept.source, kept.value_range) == (scan.spec.axes, scan.spec.source, (0, 4095))
    assert thin.shape == (60, 60, 52)
    # The ends of the first and last slices are where they were.
    for signal in (scan, thin):
        for edge, index in ((0, -0.5), (1, signal.shape[0] - 0.5)):
            end = affine_of(signal.spec) @ (0, 0, index, 1)
            assert end[2] == pytest.approx((-25, 25)[edge])
    html = result.report.read_text(encoding="utf-8")
    require_self_contained(html)
    assert "Between the planes" in html


def test_planes_between_are_compared_with_what_is_there(done: tuple[VolumeDemo, object]) -> None:
    result, _ = done
    truth = body(SMALL.shape, 60) + 1024
    thin = partinr.read(result.thin).values[..., 0]
    between = np.arange(60) % 3 != 1
    assert result.between[0] == pytest.approx(psnr(truth[between], thin[between], 4095))
    assert min(result.between) > 30
    # The middle one of three planes is a plane of the scan.
    np.testing.assert_allclose(body(SMALL.shape, 60)[1::3], body(SMALL.shape, 20), atol=1e-9)


def test_progress_and_interruption(done: tuple[VolumeDemo, list[tuple[str, float]]], tmp_path: Path) -> None:
    shares = [share for _, share in done[1]]
    assert (shares[0], shares[-1]) == (0, 1)
    assert shares == sorted(shares)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", lambda message, _: message == "rendering between the slices", settings=SMALL)
    assert not (tmp_path / "b" / "report.html").exists()


def test_the_command_writes_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partinr.studies.demo_volume.VolumeSettings", lambda: SMALL)
    ran = run_command("demo", "--kind", "volume", "-o", tmp_path / "demo")
    assert (ran.code, ran.err) == (0, "")
    for name in ("scan.inr", "scan.tif", "thin.tif", "report.html"):
        assert (tmp_path / "demo" / name).is_file()
    assert "interpolation of the scan has" in ran.out
