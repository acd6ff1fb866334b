"""The demonstration of videos."""

from __future__ import annotations

from pathlib import Path

from partinr import read
from partinr.studies.demo_video import run_video


def test_leaves_what_it_says(tmp_path: Path) -> None:
    told: list[float] = []
    done = run_video(tmp_path / "demo", lambda _, share: told.append(share), seconds=0.4)
    assert told == sorted(told)
    assert done.saved.psnr is not None
    assert done.saved.psnr >= 38
    made = read(done.made)
    assert made.shape == (10, 144, 256)
    # What does not move is not paid for again.
    assert done.saved.bytes < 0.6 * made.shape[0] * done.still
    assert read(done.faster).shape == (20, 144, 256)
    assert read(done.small).shape == (10, 72, 128)
    assert done.between > 36
    assert "data:image/webp" in done.report.read_text(encoding="utf-8")
    assert len(list((tmp_path / "demo").iterdir())) == 5
