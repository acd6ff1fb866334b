"""Pages about videos."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

import partinr
from moving import moving
from partinr import Axis
from partinr.report.fit_report import write_report


def test_frames_and_a_clip_of_original_and_fit(tmp_path: Path) -> None:
    values = moving(70, 24, 160)
    axes = [Axis("t", "s", 0.04), Axis("y"), Axis("x", "", 2.0)]
    signal = partinr.from_array(values, kind="video", axes=axes)
    result = partinr.fit(signal, goal=partinr.Compact(psnr=40))
    write_report(tmp_path / "a.html", result)
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "one of 2 frames" in page
    for frame in (11, 35, 58):
        assert f"Frame {frame}, reconstruction" in page
    found = re.search(r'src="data:image/webp;base64,([^"]+)"', page)
    assert found is not None
    clip = Image.open(io.BytesIO(base64.b64decode(found[1])))
    # Two pictures side by side, of pixels that are twice as wide as high.
    assert (clip.n_frames, clip.size) == (35, (2 * 320, 24))  # type: ignore[attr-defined]
    clip.seek(10)
    shown = np.asarray(clip.convert("RGB"), int)
    assert clip.info["duration"] == 80
    for half in (shown[:, :320:2], shown[:, 320::2]):
        assert np.abs(half - values[20]).mean() < 12
