"""Objects show themselves in notebooks, whatever they are; progress does; and the examples run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import alive
import partinr
from partinr.display import Displayed
from partinr.notebook import html, png
from partinr.report.shown import faces, parts_of
from partinr.signals import as_signal

EXAMPLES = sorted(alive.EXAMPLES.glob("*.ipynb"))
# Bytes that one cell's value may take, of whatever size it is.
MOST = 1_000_000


def waves(*shape: int) -> np.ndarray:
    return (127 * (1 + np.sin(np.arange(np.prod(shape)) / 7))).astype(np.uint8).reshape(shape)


def with_hole() -> partinr.Signal:
    values = waves(40, 30).astype(np.float32)
    values[10:20, 5:25] = np.nan
    return partinr.from_array(values)


def sound() -> partinr.Signal:
    return partinr.from_array(waves(500_000), kind="sound", axes=[partinr.Axis("t", "s", 1 / 8000)])


def scattered(dims: int) -> partinr.Signal:
    coords = np.random.default_rng(0).random((90, dims))
    return as_signal(partinr.Samples(coords, coords.sum(axis=1)))


SIGNALS: dict[str, Callable[[], partinr.Signal]] = {
    "one sample": lambda: partinr.from_array(np.ones(1)),
    "curve": lambda: partinr.from_array(waves(300, 2), channels_last=True),
    "curve with a hole": lambda: partinr.from_array(np.where(np.arange(99) % 50 < 30, waves(99) / 2, np.nan)),
    "sound": sound,
    "picture": lambda: partinr.from_array(waves(20, 33, 3), kind="image"),
    "picture with a hole": with_hole,
    "large": lambda: partinr.from_array(np.broadcast_to(waves(3000, 1), (3000, 4000)).copy()),
    "narrow": lambda: partinr.from_array(waves(1, 2500)),
    "volume": lambda: partinr.from_array(waves(6, 20, 31), kind="volume"),
    "film": lambda: partinr.from_array(waves(5, 20, 30, 3), kind="video"),
    "points of one axis": lambda: scattered(1),
    "points": lambda: scattered(2),
    "points of three axes": lambda: scattered(3),
}


def shows(thing: Displayed, *words: str) -> None:
    """What it shows is whole, small, and says these words."""
    assert "cannot be shown" not in html(thing)
    assert len(html(thing)) < MOST
    assert "<img" in html(thing) or "<svg" in html(thing)
    picture = thing._repr_png_()
    assert picture is not None
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < MOST
    for word in words:
        assert word in thing._repr_html_()
        assert word in repr(thing)


@pytest.mark.parametrize("kind", SIGNALS)
def test_signals(kind: str) -> None:
    signal = SIGNALS[kind]()
    shows(signal, "Signal", signal.spec.dtype)
    assert ("<audio" in html(signal)) == (kind == "sound")
    assert ("missing" in html(signal)) == ("hole" in kind)


@pytest.mark.parametrize("kind", ["curve with a hole", "picture with a hole", "volume", "film", "points"])
def test_fits_and_what_they_are_made_of(kind: str) -> None:
    result = partinr.fit(SIGNALS[kind](), goal=partinr.Steps(2))
    shows(result, "Fit", f"{result.psnr:.2f} dB")
    shows(result.model, "Function", f"{result.params:,} parameters")
    shows(result.model.partition, "Partition", result.model.partition.rule)
    torch = result.model.torch()
    assert html(torch) == html(result.model)


def test_pictures_are_of_the_values() -> None:
    signal = with_hole()
    (part,) = parts_of(signal)
    rgb = part.rgb  # type: ignore[union-attr]
    factor = len(rgb) // 40
    shown = rgb[::factor, ::factor, 0]
    there = signal.mask
    assert there is not None
    low, high = np.percentile(signal.values, (0.1, 99.9))
    expected = np.rint(255 * np.clip((signal.values[..., 0] - low) / (high - low), 0, 1))
    assert np.abs(shown.astype(int) - expected)[there].max() <= 1
    assert np.isin(shown[~there], (190, 235)).all()  # the checkerboard


def test_slices_are_the_middle_ones() -> None:
    signal = partinr.from_array(waves(6, 20, 31), kind="volume")
    cut = [face.seen(face.cut(signal.values), signal.spec)[..., 0] for face in faces(signal.spec)]
    middle = [signal.values[3, ..., 0], signal.values[:, 10, :, 0], signal.values[..., 15, 0]]
    for one, other in zip(cut, middle, strict=True):
        assert np.array_equal(one, other)


def test_a_value_that_cannot_be_shown_says_why() -> None:
    class Broken(Displayed):
        def displayed(self) -> Any:
            raise OSError("the <file> is gone")

    assert html(Broken()) == "<p>Broken cannot be shown (OSError: the &lt;file&gt; is gone)</p>"
    assert png(Broken()) is None


def test_plots_are_drawn_into_axes(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    photo = partinr.from_array(waves(24, 24))
    result = partinr.fit(photo, partinr.Grid(2, 2), goal=partinr.Steps(4))
    figure = Figure()
    given = figure.subplots(2, 2)
    axes = result.plot(given)
    assert [one.get_title(loc="left") for one in axes] == ["Original", "Fit", "Error", "Regions"]
    assert axes[0] is given[0, 0]
    drawn = np.asarray(axes[0].images[0].get_array())[..., 0]
    every = len(drawn) // 24
    assert np.array_equal(drawn[::every, ::every], photo.values[..., 0])
    line = partinr.plot.history([result, result], ["a", "b"], axes=figure.add_subplot()).lines[0]
    assert np.array_equal(line.get_ydata(), result.history.psnr)
    with pytest.raises(partinr.InputError, match=r"axes must be 4 of them.*got 1"):
        partinr.plot.fit(result, figure.add_subplot())
    recipe = partinr.PAPER.changed(steps=3)
    variant = partinr.Variant.of(photo, partinr.Grid(2, 2), "siren", recipe)
    comparison = partinr.compare(photo, [variant], tmp_path)
    shows(comparison, "Comparison", "1 run")
    nothing = partinr.Comparison(photo, [], 1, 0)
    assert "1 run not done" in html(nothing)
    with pytest.raises(partinr.InputError, match="nothing to plot"):
        nothing.plot()


def test_a_callback_is_told_the_function_and_the_end() -> None:
    told: list[tuple[float, float, float | None]] = []

    def callback(progress: partinr.Progress) -> None:
        if progress.model is not None:
            # Between rounds, the function is what the loss was, but for the last step.
            told.append((progress.steps, progress.fraction, progress.model(np.zeros((1, 2))).item()))

    goal, watch = partinr.Steps(60), partinr.Watch(callback)
    result = partinr.fit(waves(20, 20), partinr.Grid(2, 2), goal=goal, watch=watch)
    assert told[0][:2] == (0, 0)
    assert told[-1] == (60, 1, result.model(np.zeros((1, 2))).item())
    assert len({value for _, _, value in told}) == len({step for step, _, _ in told}) > 2
    told.clear()
    partinr.fit(waves(20, 20), partinr.Grid(2, 2), goal=partinr.Quality(psnr=3), watch=watch)
    assert told[-1][1] == 1  # long before the steps that were planned
    told.clear()
    partinr.fit(waves(20, 20), goal=partinr.Compact(psnr=30), watch=watch)
    assert [fraction for _, fraction, _ in told] == [1]


def code_of(book: Any) -> list[Any]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = code_of(nbformat.read(path, as_version=4))  # type: ignore[no-untyped-call]
    assert not any(cell.outputs or cell.execution_count for cell in code)  # they are run when they are shown
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    code = code_of(alive.run(path))  # which keeps what they showed: a manual built after the tests has it
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    shown = [output.data for output in outputs if "data" in output]
    assert any("image/png" in data for data in shown)
    assert all(len(part) < MOST for data in shown for part in data.values())
    bars = re.findall(r"<progress max='1' value='([\d.]+)'", str(shown))
    assert all(value == "1.000" for value in bars)
    watched = any("notebook.progress()" in cell.source for cell in code)
    assert watched <= ("alt='The fit'" in str(shown))
