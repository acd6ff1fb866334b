"""Pages that are the function: bytes, time to the first picture, and frames a second, in headless Chromium.

    python benchmarks/view.py PICTURE [PICTURE ...] [--psnr 42] [--steps N] [--write]

Each picture is fitted, without training unless steps are given, and its page opened on a canvas of 768 x 512
pixels in a browser that draws in software. The first picture's time counts from the start of the navigation,
as the browser's own clock has it: the median of five. Frames are those of a picture that moves by a pixel in
each: exact ones, every pixel computed, and those that the page shows while it moves, which may be coarser, or
not have their details yet. Before, the page jumps there, and is timed until every pixel is exact.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tables import machine, publish, table

import partinr
from partinr.report.view.page import write_view

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser import CHROMIUM, Browser

WIDTH, HEIGHT, OPENINGS, FRAMES = 768, 512, 5, 20

# Moves the view by a pixel and waits until that is drawn, again and again; gives milliseconds a frame, and
# how many pixels of the canvas a value covered along each axis; and until the first one was exact.
MOVING = """(async (zoom, exact, frames) => {
  const { shown, view, update } = partinr, next = () => new Promise(requestAnimationFrame);
  document.getElementById("in").click();
  Object.assign(view, { zoom, x: 300, y: 250 });
  const asked = performance.now();
  update();
  while (!partinr.settled) await next();
  const ready = performance.now() - asked;
  let coarse = 0;
  const began = performance.now();
  for (let i = 0; i < frames; i++) {
    if (exact) shown.cost = 1e-9;
    view.x += 1 / zoom;
    update();
    while (exact ? !partinr.settled : shown.moved) await next();
    coarse += shown.front.coarse;
  }
  return [(performance.now() - began) / frames, coarse / frames, ready];
})"""


def measured(page: Path) -> dict[str, str]:
    """What a page does."""
    firsts = []
    with Browser(WIDTH, 900) as browser:
        for _ in range(OPENINGS):
            browser.open(page)
            browser.until("globalThis.partinr && partinr.first")
            firsts.append(browser.value("partinr.first"))
        # A window in which the stage has the size that is asked for.
        other = browser.value("innerHeight - document.getElementById('stage').clientHeight")
        metrics = {"width": WIDTH, "height": HEIGHT + other, "deviceScaleFactor": 1, "mobile": False}
        browser.call("Emulation.setDeviceMetricsOverride", **metrics)
        browser.until(f"partinr.settled && partinr.shown.canvas.height === {HEIGHT}", 60)
        row = {"first picture": f"{statistics.median(firsts) / 1000:.2f} s"}
        for zoom in (1, 4, 16):
            exact, _, ready = browser.value(f"{MOVING}({zoom}, true, {FRAMES})", 300)
            moving, coarse, _ = browser.value(f"{MOVING}({zoom}, false, {FRAMES})", 300)
            row[f"{zoom}:1 after"] = f"{ready / 1000:.1f} s"
            row[f"{zoom}:1, exact"] = f"{1000 / exact:.1f} fps"
            row[f"{zoom}:1, moving"] = f"{1000 / moving:.1f} fps, 1/{coarse:.1f}"
        assert browser.log == []
    return row


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--psnr", type=float, default=42.0)
    parser.add_argument("--steps", type=int, help="train SIRENs for so many steps instead")
    parser.add_argument("--write", action="store_true", help="put the table into docs/view.md")
    arguments = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("there is no Chromium")
    goal = partinr.Compact(psnr=arguments.psnr) if arguments.steps is None else partinr.Steps(arguments.steps)
    rows = []
    with TemporaryDirectory() as folder:
        for picture in arguments.pictures:
            result = partinr.fit(partinr.read(picture), goal=goal)
            file, page = Path(folder) / "function.inr", Path(folder) / "page.html"
            partinr.save(result.model, file, store="auto", signal=result.signal)
            began = time.perf_counter()
            written = write_view(page, file)
            seconds = time.perf_counter() - began
            goal_bytes = 1.34 * written.file + 60_000
            rows.append(
                {
                    "picture": picture.name,
                    "file": f"{written.file:,}",
                    "page": f"{written.bytes:,} ({written.bytes / goal_bytes:.0%} of 1.34 x + 60,000)",
                    "script": f"{written.script:,}",
                    "written in": f"{seconds:.2f} s",
                    **measured(page),
                }
            )
    text = table(list(rows[0]), [list(row.values()) for row in rows])
    publish("view.md", "pages", f"{text}\n\n{machine()}; `benchmarks/view.py`.", arguments.write)


if __name__ == "__main__":
    main()
