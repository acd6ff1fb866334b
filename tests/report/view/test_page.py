"""Pages in a browser: what they compute is what `render` gives, to one grey level, and what they say."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from browser import CHROMIUM, Browser
from helpers import patchy, smooth
from models import NATIVE as NETWORKS
from models import cells, made, scattered
from moving import moving
from partinr import Axis, Compact, Network, Piecewise, Signal, fit, from_array, load, render, save
from partinr.model import kernel
from partinr.report.view.page import write_view
from partinr.signals import frames

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
needs_kernel = pytest.mark.skipif(kernel.why_missing() is not None, reason="the kernel writes them")

Range = tuple[float, float]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser(400, 300) as found:
        yield found


def opened(browser: Browser, model: Piecewise, folder: Path, original: Signal | None = None) -> Piecewise:
    """A model's page, open; returns the model as the page shows it."""
    page, file = folder / "page.html", folder / "function.inr"
    save(model, file, store="auto" if model.spectra is not None else "float32", signal=original)
    written = write_view(page, file, original)
    assert original is not None or written.bytes <= 1.34 * written.file + 60_000
    browser.log.clear()
    browser.open(page)
    browser.until("globalThis.partinr && (partinr.settled || partinr.failed)")
    assert (browser.value("partinr.failed"), browser.log) == (None, [])
    return load(file)


def numbers(browser: Browser, expression: str) -> ndarray:
    """An array of numbers of a page, in single precision."""
    text = browser.value(
        f"(() => {{ const bytes = new Uint8Array(Float32Array.from({expression}).buffer);"
        " let text = ''; for (const byte of bytes) text += String.fromCharCode(byte); return btoa(text); })()"
    )
    return np.frombuffer(base64.b64decode(text), "<f4")


def values(
    browser: Browser, model: Piecewise, rows: Range, columns: Range, size: tuple[int, int], plane: float = 0
) -> tuple[ndarray, ndarray]:
    """Normalised values of the page, and those of the model, (rows, columns, channels)."""
    dims, channels = model.signal.dims, model.signal.channels
    spans = [
        f"{{start: {a!r}, stop: {z!r}, size: {n}}}" for (a, z), n in zip((rows, columns), size, strict=True)
    ]
    blocks = []
    for block in range(-(-channels // 4)):
        browser.value(f"partinr.shown.function.enter({plane}, {block})")
        found = numbers(browser, f"partinr.shown.function.values({', '.join(spans)})")
        blocks.append(found.reshape(*size, 4))
    axes = [
        frames.pixels(n, m, *part, point=True).coords
        for n, m, part in zip(
            (1, 1, *model.signal.shape)[-3:], (1, *size), ((plane, plane + 1), rows, columns), strict=True
        )
    ]
    found = np.concatenate(blocks, axis=-1)[..., :channels]
    if model.signal.between == "none":
        points = np.stack(np.meshgrid(*axes[3 - dims :], indexing="ij"), axis=-1).reshape(*size, dims)
        return found, model(points)
    low, high = model.signal.value_range
    crop, shape = ((plane, plane + 1), rows, columns)[3 - dims :], (1, *size)[3 - dims :]
    expected = render(model, size=shape, crop=crop).reshape(*size, channels).astype(np.float64)
    return np.clip(found, 0, 1), (expected - low) / (high - low)


def check(browser: Browser, model: Piecewise, plane: float = 0) -> None:
    """At samples, enlarged, and within a part."""
    rows, columns = (1, *model.signal.shape)[-2:]
    several = model.signal.dims > 1
    for part, size in (
        (((0, rows), (0, columns)), (rows, columns)),
        (((0, rows), (0, columns)), (3 * rows - 1 if several else 1, 4 * columns + 1)),
        (
            ((rows / 4, rows * 0.7) if several else (0, 1), (columns / 3, columns * 0.6)),
            (31 if several else 1, 29),
        ),
    ):
        found, expected = values(browser, model, *part, size, plane)
        rounding = 0.5 if model.signal.between != "none" and model.signal.dtype == "uint8" else 0
        np.testing.assert_allclose(found, expected, rtol=0, atol=(0.2 + rounding) / 255)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_every_network(browser: Browser, tmp_path: Path, network: Network) -> None:
    check(browser, opened(browser, made(scattered((13, 12), 5), network, blend=True, overlap=1), tmp_path))


def test_several_groups_on_one_two_and_three_axes(browser: Browser, tmp_path: Path) -> None:
    some, others = [NETWORKS[0], NETWORKS[4], NETWORKS[6]], [NETWORKS[2], NETWORKS[3], NETWORKS[5]]
    check(browser, opened(browser, made(scattered((90,), 9), some, blend=True, overlap=3), tmp_path))
    check(browser, opened(browser, made(scattered((9, 8), 14), others, "global", channels=6), tmp_path))
    check(browser, opened(browser, made(cells((11, 17), 3, 3), NETWORKS, "area", blend=True), tmp_path))
    for blend, networks in ((False, others), (True, some)):
        several = made(scattered((5, 9, 7), 9), networks, blend=blend, overlap=2 * blend)
        model = opened(browser, several, tmp_path)
        for plane in (3, 2.25):
            check(browser, model, plane)


@needs_kernel
@pytest.mark.parametrize("shape", [(300,), (60, 75), (1, 40), (9, 20, 17)])
def test_coded_cosines(browser: Browser, tmp_path: Path, shape: tuple[int, ...]) -> None:
    signal = patchy(shape, 3 if shape[0] % 2 else 5)
    fitted = fit(signal, goal=Compact(psnr=40)).model
    model = opened(browser, fitted.with_between("none"), tmp_path, signal)
    for plane in (0, 1.3, 8) if len(shape) == 3 else (0,):
        check(browser, model, plane)
    model = opened(browser, fitted.with_between("smooth"), tmp_path, signal)
    for plane in (0, 5) if len(shape) == 3 else (0,):
        check(browser, model, plane)


def test_smooth_between_the_samples_of_networks(browser: Browser, tmp_path: Path) -> None:
    for partition, between in (
        (cells((13, 12), 2, 2), "smooth"),
        (cells((40,), 3), "smooth"),
        (cells((13, 12), 2, 2), "learned"),
    ):
        model = made(partition, NETWORKS[0], dtype="uint8", span=(0.0, 255.0)).with_between(between)
        check(browser, opened(browser, model, tmp_path))


@needs_kernel
def test_details_between_the_samples(browser: Browser, tmp_path: Path) -> None:
    colours = patchy((40, 70), 3).values / 255 + 0.1 * np.random.default_rng(0).random((40, 70, 3))
    signal = from_array(colours.astype(np.float32), kind="image", value_range=(-1.0, 2.0))
    model = opened(browser, fit(signal, goal=Compact(psnr=45)).model, tmp_path, signal)
    assert model.signal.between == "learned"
    whole, corner = ((0, 40), (0, 70)), ((31.3, 40), (0, 9))
    for part, size in (
        (whole, (80, 140)),
        (whole, (160, 280)),
        (whole, (107, 187)),
        (whole, (41, 71)),
        (corner, (70, 72)),
        (((0, 1), (61, 70)), (1, 900)),
    ):
        found, expected = values(browser, model, *part, size)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        _, plain = values(browser, model.with_between("smooth"), *part, size)
        assert np.abs(plain - expected).max() > 1e-3


@needs_kernel
def test_the_canvas_is_the_rendering(browser: Browser, tmp_path: Path) -> None:
    deep = from_array(patchy((60, 75), 1).values.astype(np.uint16) * 257, channels_last=True, kind="image")
    for signal, levels, scales in ((patchy((60, 75), 3), (0.0, 1.0), (1, 2, 4.3)), (deep, (0.3, 0.5), (8,))):
        model = opened(browser, fit(signal, goal=Compact(psnr=38)).model, tmp_path, signal)
        low, high = model.signal.value_range
        for scale in scales:
            browser.value("document.getElementById('in').click()")
            browser.value(f"Object.assign(partinr.view, {{zoom: {scale}, levels: {list(levels)}, x: 75}})")
            browser.value("partinr.update()")
            browser.until("partinr.settled")
            across, down = (browser.value(f"partinr.shown.area.{axis}") for axis in ("across", "down"))
            crop = tuple((side["span"]["start"], side["span"]["stop"]) for side in (down, across))
            size = tuple(side["span"]["size"] for side in (down, across))
            pixels = numbers(
                browser,
                "(() => { const {gl, canvas: {width, height}} = partinr.shown; partinr.shown.paint();"
                " const pixels = new Uint8Array(4 * width * height);"
                " gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels); return pixels; })()",
            )
            width, height = browser.value("[partinr.shown.canvas.width, partinr.shown.canvas.height]")
            shown = pixels.reshape(height, width, 4)[::-1][
                down["first"] : down["first"] + size[0], across["first"] : across["first"] + size[1]
            ]
            level = (render(model, size=size, crop=crop).astype(float) - low) / (high - low)
            expected = 255 * np.clip((level - levels[0]) / (levels[1] - levels[0]), 0, 1)
            assert np.abs(shown[..., :3] - expected).max() <= 1
            assert (shown[..., 3] == 255).all()


@needs_kernel
def test_smaller_than_its_samples_it_is_the_mean(browser: Browser, tmp_path: Path) -> None:
    signal = smooth((900, 1200), 1)
    model = opened(browser, fit(signal, goal=Compact(psnr=45)).model, tmp_path, signal)
    size = [browser.value(f"partinr.shown.front.target.{side}") for side in ("height", "width")]
    found = numbers(browser, f"partinr.shown.front.target.read(0, 0, {size[1]}, {size[0]})").reshape(*size, 4)
    low, high = model.signal.value_range
    expected = (render(model, size=size)[..., 0] - low) / (high - low)
    assert browser.value("partinr.view.zoom") < 0.4
    np.testing.assert_allclose(found[..., 0], expected, rtol=0, atol=1 / 255)


@needs_kernel
def test_beside_the_original_and_usual_ways(browser: Browser, tmp_path: Path) -> None:
    deep = from_array(
        (patchy((40, 52), 3).values.astype(np.uint16) * 257)[..., :3],
        channels_last=True,
        value_range=(0, 65535),
    )
    for signal in (patchy((40, 52), 3), deep):
        model = opened(browser, fit(signal, goal=Compact(psnr=36)).model, tmp_path, signal)
        own = render(model)
        peak = signal.spec.value_range[1]
        for way, expected in (("original", signal.values), ("nearest", own)):
            browser.value("document.getElementById('in').click()")
            browser.value("Object.assign(partinr.view, {zoom: 4, split: 0})")
            index = ["", "nearest", "linear", "cubic", "original"].index(way)
            browser.value(f"document.getElementById('beside').selectedIndex = {index}")
            browser.value("document.getElementById('beside').dispatchEvent(new Event('change'))")
            browser.until("partinr.settled")
            height, width = [browser.value(f"partinr.shown.right.{side}") for side in ("height", "width")]
            found = numbers(browser, f"partinr.shown.right.read(0, 0, {width}, {height})").reshape(
                height, width, 4
            )
            span = browser.value("[partinr.shown.area.down.span, partinr.shown.area.across.span]")
            places = [
                np.floor(
                    s["start"] + (np.arange(s["size"]) + 0.5) * (s["stop"] - s["start"]) / s["size"]
                ).astype(int)
                for s in span
            ]
            np.testing.assert_allclose(
                np.clip(found[..., :3], 0, 1),
                expected[np.ix_(*places)] / peak,
                rtol=0,
                atol=(1 if way == "nearest" else 0.01) / 255,
            )


@needs_kernel
def test_the_greatest_of_all_planes(browser: Browser, tmp_path: Path) -> None:
    signal = smooth((7, 20, 24), 1)
    model = opened(browser, fit(signal, goal=Compact(psnr=45)).model, tmp_path, signal)
    browser.value("document.getElementById('maximum').click()")
    browser.until("partinr.settled")
    found = numbers(browser, "partinr.shown.own.read(0, 0, 24, 20)").reshape(20, 24, 4)[..., 0]
    low, high = model.signal.value_range
    np.testing.assert_allclose(found, (render(model).max(axis=0)[..., 0] - low) / (high - low), atol=1e-4)


@needs_kernel
def test_a_video_plays_at_its_rate(browser: Browser, tmp_path: Path) -> None:
    axes = [Axis("t", "s", 0.1, 2.0), Axis("y"), Axis("x")]
    signal = from_array(moving(20), kind="video", axes=axes)
    opened(browser, fit(signal, goal=Compact(psnr=40)).model, tmp_path, signal)
    told = "document.getElementById('volume').innerText.replace(/\\s+/g, ' ').trim()"
    browser.value("Object.assign(document.getElementById('plane'), {value: 3}).oninput()")
    assert browser.value(told) == "Play Frame 4 of 20, 2.30 s"
    browser.value("document.getElementById('film').click()")
    browser.until("document.getElementById('plane').value >= 5")
    browser.value("document.getElementById('film').click()")
    at = browser.value("document.getElementById('plane').value")
    browser.until("partinr.settled")
    assert browser.value("document.getElementById('plane').value") == at
    assert browser.value("document.getElementById('film').innerText") == "Play"


@needs_kernel
def test_a_curve_and_its_values(browser: Browser, tmp_path: Path) -> None:
    signal = smooth((500,), 1)
    model = opened(browser, fit(signal, goal=Compact(psnr=45)).model, tmp_path, signal)
    found = numbers(browser, "partinr.shown.atSamples(0)")
    low, high = model.signal.value_range
    np.testing.assert_allclose(found, (render(model).ravel() - low) / (high - low), atol=1e-4)
    derivative = numbers(
        browser,
        "(Object.assign(partinr.view, {show: 'gradient', zoom: 8}),"
        " partinr.shown.derived(partinr.shown.values(0, 100, 200, 8)))",
    )
    exact = np.gradient(render(model, scale=8, crop=((100, 200),)).ravel()) * 8 / (high - low)
    np.testing.assert_allclose(derivative[1:-1], exact[1:-1], atol=2e-3)


def test_a_lost_context_comes_back(browser: Browser, tmp_path: Path) -> None:
    model = opened(browser, made(cells((13, 12), 2, 2), NETWORKS[0]), tmp_path)
    browser.value("globalThis.loss = partinr.shown.gl.getExtension('WEBGL_lose_context'); loss.loseContext()")
    browser.until("partinr.shown.gl.isContextLost()")
    frames_before = browser.value("partinr.shown.frames")
    browser.value("setTimeout(() => loss.restoreContext(), 50), 0")
    browser.until(f"partinr.shown.frames > {frames_before}")
    check(browser, model)


def test_a_damaged_page_says_so(browser: Browser, tmp_path: Path) -> None:
    file, page = tmp_path / "a.inr", tmp_path / "a.html"
    save(made(cells((13, 12)), NETWORKS[0]), file)
    write_view(page, file)
    text = page.read_text()
    start = text.index('id="file">') + 10
    for damaged in (
        text[: start + 400] + ("A" if text[start + 400] != "A" else "B") + text[start + 401 :],
        text[: start + 400] + text[start + 480 :],
        text[: start + 401] + "§" + text[start + 401 :],
    ):
        page.write_text(damaged)
        browser.open(page)
        browser.until("globalThis.partinr && partinr.failed")
        assert "damaged" in browser.value("document.getElementById('message').textContent")
        assert browser.value("document.getElementById('still').getBoundingClientRect().width") > 0


def test_without_webgl_there_is_a_still_picture(tmp_path: Path) -> None:
    file, page = tmp_path / "a.inr", tmp_path / "a.html"
    save(made(cells((13, 12)), NETWORKS[0]), file)
    write_view(page, file)
    with Browser(400, 300) as browser:
        browser.open(page, "HTMLCanvasElement.prototype.getContext = () => null")
        browser.until("globalThis.partinr && partinr.failed")
        assert "no WebGL 2" in browser.value("document.getElementById('message').textContent")
        assert browser.value("document.getElementById('still').complete")
        assert browser.value("getComputedStyle(document.getElementById('still')).display") == "block"


def test_gestures_and_keys(browser: Browser, tmp_path: Path) -> None:
    opened(browser, made(cells((60, 80), 2, 2), NETWORKS[0]), tmp_path)
    whole = browser.value("partinr.view.zoom")
    place = {"x": 200, "y": 120, "button": "left", "clickCount": 1}
    browser.call("Input.dispatchMouseEvent", type="mouseWheel", x=200, y=120, deltaX=0, deltaY=-480)
    browser.until(f"partinr.view.zoom > {3.9 * whole}")
    before = browser.value("[partinr.view.x, partinr.view.y]")
    browser.call("Input.dispatchMouseEvent", type="mousePressed", **place)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", **{**place, "x": 180, "y": 110})
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", **{**place, "x": 180, "y": 110})
    after = browser.value("[partinr.view.x, partinr.view.y]")
    zoom = browser.value("partinr.view.zoom")
    np.testing.assert_allclose(np.subtract(after, before) * zoom, [20, 10], atol=1e-6)
    browser.until("partinr.settled")
    assert ":" in browser.value("document.getElementById('value').textContent")
    for key, expression in (
        ("+", f"partinr.view.zoom > {zoom}"),
        ("r", "partinr.view.regions"),
        ("g", "partinr.view.show === 'gradient'"),
        ("b", "partinr.view.beside === 'nearest'"),
        ("0", f"Math.abs(partinr.view.zoom - {whole}) < 1e-9"),
    ):
        browser.call("Input.dispatchKeyEvent", type="keyDown", key=key)
        browser.until(expression)
    touch = [{"x": 150, "y": 120, "id": 0}, {"x": 250, "y": 120, "id": 1}]
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    browser.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=touch)
    apart = [{"x": 100, "y": 120, "id": 0}, {"x": 300, "y": 120, "id": 1}]
    browser.call("Input.dispatchTouchEvent", type="touchMove", touchPoints=apart)
    browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    browser.until(f"partinr.view.zoom > {1.9 * whole}")
    assert browser.log == []
