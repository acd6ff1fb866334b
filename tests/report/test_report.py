"""Overlays, pictures and pages."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers import noise, smooth
from page_parser import PageParser, require_self_contained
from partinr import Grid, InputError, Partition, Signal, SignalSpec, Whole, from_array, overlay, write_overlay
from partinr.fitting.history import History
from partinr.report import page
from partinr.report.enlarging import busiest_window, enlarged, side_by_side
from partinr.report.overlay import DARK, LIGHT, enlargement, with_borders
from partinr.report.pictures import (
    Picture,
    at_most,
    error_map,
    error_rgb,
    error_top,
    repeated,
    shown_range,
    to_rgb,
)
from partinr.report.plots import Curve, curves, draw_borders, envelope, to_svg


def grey(shape: tuple[int, int], level: int) -> Signal:
    values = np.full((*shape, 1), level, np.uint8)
    return Signal(values, SignalSpec("image", shape, 1, "uint8", (0.0, 255.0), False))


def image(values: np.ndarray) -> Signal:
    return from_array(values, kind="image", channels_last=True)


def borders_by_loop(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Light where the next pixel down or right is of another region, else dark where the one before is."""
    out = picture.copy()
    rows, columns = labels.shape
    for r in range(rows):
        for c in range(columns):
            after = [labels[a, b] for a, b in ((r + 1, c), (r, c + 1)) if a < rows and b < columns]
            before = [labels[a, b] for a, b in ((r - 1, c), (r, c - 1)) if a >= 0 and b >= 0]
            if any(other != labels[r, c] for other in after):
                out[r, c] = LIGHT
            elif any(other != labels[r, c] for other in before):
                out[r, c] = DARK
    return out


class TestOverlay:
    @settings(max_examples=50)
    @given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 5), st.integers(0, 1000))
    def test_draws_on_borders_and_nowhere_else(
        self, rows: int, columns: int, regions: int, seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, regions, (rows, columns)).astype(np.int32)
        picture = rng.integers(1, 200, (rows, columns, 3), dtype=np.uint8)
        np.testing.assert_array_equal(with_borders(picture, labels), borders_by_loop(picture, labels))

    def test_is_the_enlarged_picture_with_the_borders(self) -> None:
        signal = noise((30, 50), 3)
        partition = Grid(2, 3).partition(signal)
        drawn = overlay(signal, partition)
        factor = drawn.shape[0] // 30
        assert factor > 1
        assert drawn.shape == (30 * factor, 50 * factor, 3)
        labels = partition.label_map.repeat(factor, 0).repeat(factor, 1)
        np.testing.assert_array_equal(drawn, borders_by_loop(repeated(signal.values, factor), labels))

    def test_of_one_region_is_the_picture(self) -> None:
        signal = noise((400, 420), 3)
        np.testing.assert_array_equal(overlay(signal, Whole().partition(signal)), signal.values)

    @pytest.mark.parametrize("level", [0, 128, 255])
    def test_lines_stand_out_from_any_background(self, level: int) -> None:
        signal = grey((500, 400), level)
        drawn = overlay(signal, Grid(3, 3).partition(signal)).astype(int)
        contrast = np.abs(drawn - level).max(axis=-1)
        middle = drawn.shape[0] // 2
        crossings = np.flatnonzero(contrast[middle] > 100)
        assert len(crossings) >= 2
        assert np.median(contrast) == 0

    def test_many_tiny_cells_stay_visible(self) -> None:
        signal = grey((90, 120), 128)
        drawn = overlay(signal, Grid(30, 40).partition(signal))
        assert (drawn == 128).all(axis=-1).mean() > 0.6

    def test_large_pictures_get_thicker_lines(self) -> None:
        signal = grey((4000, 60), 128)
        drawn = overlay(signal, Grid(2, 1).partition(signal))
        line = drawn[1990:2010, 30]
        assert (line == LIGHT).all(axis=-1).sum() == 4
        assert (line == DARK).all(axis=-1).sum() == 4
        assert (line[5:15] != 128).any(axis=-1).sum() == 8

    def test_thick_lines_lie_on_both_sides_of_a_border(self) -> None:
        labels = np.repeat(np.arange(2, dtype=np.int32), 10)[None].repeat(20, 0)
        drawn = with_borders(np.full((20, 20, 3), 7, np.uint8), labels, thickness=3)
        expected = np.full((20, 20, 3), 7, np.uint8)
        expected[:, 7:10], expected[:, 10:13] = LIGHT, DARK
        np.testing.assert_array_equal(drawn, expected)

    def test_of_three_axes_shows_the_middle_plane(self) -> None:
        signal = smooth((5, 410, 400))
        labels = np.zeros((5, 410, 400), np.int32)
        for i in range(5):
            labels[i, 50 * (i + 1) :] = 1
        partition = Partition.from_labels(labels, "labels")
        plane = to_rgb(signal.values[2], signal.spec, shown_range(signal))
        np.testing.assert_array_equal(overlay(signal, partition), with_borders(plane, labels[2], thickness=1))

    def test_of_one_axis_is_a_plot_with_a_line_at_each_border(self) -> None:
        from matplotlib.figure import Figure

        signal = smooth((100,), 2)
        labels = np.repeat([0, 1, 0, 2], [10, 30, 40, 20]).astype(np.int32)
        partition = Partition.from_labels(labels, "labels")
        axes = Figure().subplots()
        draw_borders(axes, signal, partition)
        (lines,) = axes.collections
        assert [segment[0][0] for segment in lines.get_segments()] == [9.5, 39.5, 79.5]
        drawn = overlay(signal, partition)
        assert drawn.dtype == np.uint8
        assert drawn.shape[2] == 3
        assert (drawn != overlay(signal, Whole().partition(signal))).any()

    @pytest.mark.parametrize(
        ("shape", "channels", "dtype"),
        [
            *(((7, 5), channels, "uint8") for channels in range(1, 6)),
            *(((2, 3, 4), 2, dtype) for dtype in ("bool", "int16", "uint16", "int64", "float16", "float64")),
            ((1, 1), 1, "uint8"),
            ((1, 1, 1), 3, "float32"),
            ((1,), 1, "float64"),
            ((12,), 5, "bool"),
        ],
    )
    def test_takes_any_signal(self, shape: tuple[int, ...], channels: int, dtype: str) -> None:
        values = (np.random.default_rng(0).random((*shape, channels)) * 2).astype(dtype)
        signal = from_array(values, channels_last=True)
        drawn = overlay(signal, Whole().partition(signal))
        assert drawn.dtype == np.uint8
        assert drawn.shape[2] == 3

    def test_refuses_a_partition_of_another_shape(self) -> None:
        with pytest.raises(InputError, match=r"shape \(20, 30\), got \(30, 20\)"):
            overlay(noise((20, 30)), Whole().partition(noise((30, 20))))

    def test_is_written_as_it_is(self, tmp_path) -> None:
        signal = noise((20, 30), 3)
        partition = Grid(2, 2).partition(signal)
        write_overlay(tmp_path / "o.png", signal, partition)
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "o.png")), overlay(signal, partition))

    def test_leaves_nothing_where_it_cannot_be_written(self, tmp_path) -> None:
        signal = noise((20, 30), 3)
        with pytest.raises(InputError, match=r"o\.xyz"):
            write_overlay(tmp_path / "o.xyz", signal, Whole().partition(signal))
        assert not list(tmp_path.iterdir())

    @given(st.integers(1, 10_000), st.integers(1, 10_000), st.floats(1, 1000))
    def test_enlarges_small_pictures_only(self, rows: int, columns: int, side: float) -> None:
        factor = enlargement((rows, columns), side)
        assert factor >= 1
        if max(rows, columns) >= 400 and side >= 16:
            assert factor == 1
        assert factor == 1 or max(rows, columns) * factor <= 2400


class TestPictures:
    def test_colours_of_8_bits_are_shown_as_they_are(self) -> None:
        signal = noise((300, 11), 3)
        np.testing.assert_array_equal(to_rgb(signal.values, signal.spec), signal.values)

    def test_one_channel_is_grey(self) -> None:
        signal = noise((9, 11), 1)
        np.testing.assert_array_equal(to_rgb(signal.values, signal.spec), signal.values.repeat(3, axis=2))

    def test_deep_values_are_scaled_by_their_range(self) -> None:
        values = np.array([[0, 257, 65535, 32768]], np.uint16)[..., None]
        shown = to_rgb(values, image(values).spec)
        assert shown[0, :, 0].tolist() == [0, 1, 255, 128]

    def test_values_out_of_what_is_shown_are_clipped(self) -> None:
        values = np.array([[-1.0, 0.5, 3.0]])[..., None]
        spec = SignalSpec("array", (1, 3), 1, "float64", (-1.0, 3.0), True)
        assert to_rgb(values, spec, (0.0, 1.0))[0, :, 0].tolist() == [0, 128, 255]

    @pytest.mark.parametrize("channels", [2, 4])
    def test_opacity_shows_the_checkerboard(self, channels: int) -> None:
        values = np.random.default_rng(0).integers(0, 256, (600, 80, channels), dtype=np.uint8)
        values[:300, :, -1], values[300:, :, -1] = 0, 255
        shown = to_rgb(values, image(values).spec)
        assert len(np.unique(shown[:300].reshape(-1, 3), axis=0)) == 2
        np.testing.assert_array_equal(
            shown[300:], np.broadcast_to(values[300:, :, : channels - 1], (300, 80, 3))
        )
        # Squares of 600 // 40 = 15 pixels, across the strips in which they are computed.
        odd = (np.arange(300)[:, None] // 15 + np.arange(80) // 15) % 2
        assert len(np.unique(shown[:300][odd == 1])) == len(np.unique(shown[:300][odd == 0])) == 1

    def test_last_of_four_channels_of_an_array_is_no_opacity(self) -> None:
        values = np.zeros((4, 4, 4), np.uint8)
        signal = from_array(values, channels_last=True, value_range=(0, 255))
        assert (to_rgb(values, signal.spec) == 0).all()

    def test_dark_deep_pictures_are_shown_bright(self) -> None:
        signal = image(np.linspace(0, 1000, 400, dtype=np.uint16).reshape(20, 20, 1))
        low, high = shown_range(signal)
        assert 0 <= low < 10
        assert 990 < high <= 1000
        assert to_rgb(signal.values, signal.spec, (low, high)).max() == 255

    def test_error_is_the_mean_absolute_difference(self) -> None:
        a, b = noise((7, 9), 3, seed=1), noise((7, 9), 3, seed=2)
        expected = np.abs(a.values.astype(float) - b.values.astype(float)).mean(axis=-1) / 2.55
        np.testing.assert_allclose(error_map(a.values, b.values, a.spec), expected, rtol=1e-6)

    def test_errors_share_one_scale(self) -> None:
        rng = np.random.default_rng(0)
        small, large = rng.random((40, 40), np.float32), 30 * rng.random((40, 40), np.float32)
        top = error_top([small, large])
        assert np.percentile(large, 99.5) <= top <= 1.5 * np.percentile(large, 99.5)
        same = np.float32(0.9)
        small[3, 4] = large[5, 6] = same
        np.testing.assert_array_equal(error_rgb(small, top)[3, 4], error_rgb(large, top)[5, 6])

    @given(st.floats(1e-30, 1e30))
    def test_top_of_the_scale_is_little_above_the_errors(self, error: float) -> None:
        top = error_top([np.full((3, 3), error, np.float32)])
        assert np.float32(error) <= top * (1 + 1e-6)
        assert top <= 2.0001 * error

    def test_no_error_has_a_scale_too(self) -> None:
        nothing = np.zeros((3, 3), np.float32)
        assert error_top([nothing]) > 0
        assert (error_rgb(nothing, error_top([nothing])) == error_rgb(nothing, 5.0)).all()

    def test_greater_errors_are_brighter(self) -> None:
        ramp = error_rgb(np.linspace(0, 12, 200, dtype=np.float32)[None], 10.0)[0].astype(int)
        brightness = ramp @ [299, 587, 114]
        assert (np.diff(brightness) >= -300).all()
        np.testing.assert_array_equal(ramp[-1], ramp[-10])

    def test_busiest_window_is_where_the_detail_is(self) -> None:
        picture = np.full((60, 90, 3), 100, np.uint8)
        picture[20:32, 50:62] = np.random.default_rng(0).integers(0, 256, (12, 12, 3))
        (top, bottom), (left, right) = busiest_window(picture, 14)
        assert bottom - top == right - left == 14
        assert top <= 20 < 32 <= bottom
        assert left <= 50 < 62 <= right

    def test_reduction_keeps_the_shape(self) -> None:
        picture = noise((100, 300), 3).values
        assert at_most(picture, 300) is picture
        assert at_most(picture, 30).shape == (10, 30, 3)
        assert at_most(noise((1, 300), 3).values, 30).shape == (1, 30, 3)


class TestEnlarging:
    @pytest.mark.parametrize("shape", [(24, 30), (5, 24, 30)])
    def test_all_show_one_window_at_one_size(self, shape: tuple[int, ...]) -> None:
        import partinr

        signal = smooth(shape, 3)
        model = partinr.fit(signal, Whole(), goal=partinr.Steps(2)).model
        finer = smooth((*shape[:-2], 48, 60), 3)
        pictures = enlarged(model, signal, ((4, 12), (10, 22)), 4, shown_range(signal), finer)
        pixels, *filtered, network, reference = pictures
        assert [p.label for p in filtered] == ["Bilinear", "Bicubic", "Lanczos"]
        assert {p.rgb.shape for p in pictures} == {(32, 48, 3)}
        plane = signal.values if len(shape) == 2 else signal.values[2]
        original = to_rgb(plane, signal.spec, shown_range(signal))
        np.testing.assert_array_equal(pixels.rgb, repeated(original[4:12, 10:22], 4))
        crop = ((4.0, 12.0), (10.0, 22.0)) if len(shape) == 2 else ((2.0, 3.0), (4.0, 12.0), (10.0, 22.0))
        size = (32, 48) if len(shape) == 2 else (1, 32, 48)
        rendered = partinr.render(model, crop=crop, size=size).reshape(32, 48, 3)
        np.testing.assert_array_equal(network.rgb, to_rgb(rendered, signal.spec, shown_range(signal)))
        # The signal is smooth: all agree but the network, which has hardly been trained.
        for other in (*filtered, reference):
            assert np.abs(other.rgb.astype(int) - pixels.rgb).mean() < 6

    def test_labels_stand_above_untouched_pictures(self) -> None:
        pictures = [Picture(name, noise((40, 60), 3, seed).values) for seed, name in enumerate("abc")]
        drawn = side_by_side(pictures)
        head = len(drawn) - 40
        for i, picture in enumerate(pictures):
            left = i * (60 + (drawn.shape[1] - 180) // 2)
            np.testing.assert_array_equal(drawn[head:, left : left + 60], picture.rgb)
            assert drawn[:head, left : left + 60].min() < 128


NASTY = "<script>alert('x')</script> & \"quoted\" <b>"


class TestPage:
    def test_escapes_everything(self) -> None:
        blocks = [
            page.paragraph(NASTY),
            page.table([NASTY], [[NASTY, NASTY]], NASTY),
            page.facts([(NASTY, NASTY)]),
            page.gallery([Picture(NASTY, noise((4, 4), 3).values, NASTY)]),
            page.plots([(to_svg(lambda axes: axes.set_title(""), NASTY), NASTY)]),
            page.colour_bar(["#000000", "#ffffff"], NASTY, NASTY, NASTY),
        ]
        parser = PageParser(page.document(NASTY, NASTY, [page.Section(NASTY, blocks)]))
        assert parser.texts.count(NASTY) == 4 + 1 + 4 + 2 + 2 + 1 + 3
        assert parser.attributes.count(NASTY) == 2
        assert not {"script", "b"} & set(parser.tags)

    def test_is_self_contained_and_well_formed(self) -> None:
        drawn = to_svg(curves([Curve("a", np.arange(5.0), np.arange(5.0))], "x", "y"), "plot")
        html = page.document(
            "t",
            "i",
            [
                page.Section(
                    "s", [page.gallery([Picture("p", noise((4, 4), 3).values)]), page.plots([(drawn, "c")])]
                )
            ],
        )
        require_self_contained(html)

    def test_pictures_survive_within_it(self) -> None:
        picture = noise((9, 13), 3).values
        uri = page.data_uri(picture)
        assert uri.startswith("data:image/png;base64,")
        decoded = Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))
        np.testing.assert_array_equal(np.asarray(decoded), picture)

    def test_large_pictures_are_reduced(self) -> None:
        html = page.gallery([Picture("p", np.zeros((10, 5000, 3), np.uint8))])
        assert 'width="1024" height="2"' in html


class TestPlots:
    def test_two_on_one_page_share_no_names(self) -> None:
        lines = [Curve(name, np.arange(5.0), np.arange(5.0) ** i, i) for i, name in enumerate("ab")]
        svgs = [to_svg(curves(lines[: i + 1], "x", "y", level=(2.0, "level")), "plot") for i in range(2)]
        names = [set(re.findall(r'\sid="([^"]+)"', svg)) for svg in svgs]
        assert names[0]
        assert not names[0] & names[1]
        for svg, own in zip(svgs, names, strict=True):
            used = set(re.findall(r'href="#([^"]+)"', svg)) | set(re.findall(r"url\(#([^)]+)\)", svg))
            assert used
            assert used <= own

    def test_same_plot_same_bytes(self) -> None:
        draw = curves([Curve("a", np.arange(5.0), np.arange(5.0))], "x", "y")
        assert to_svg(draw, "plot") == to_svg(draw, "plot")

    def test_takes_the_colour_of_the_page(self) -> None:
        svg = to_svg(curves([Curve("a", np.arange(5.0), np.arange(5.0))], "x", "y"), "plot")
        assert "currentColor" in svg
        assert "#010203" not in svg
        assert "#000000" not in svg

    def test_touches_nothing_global(self) -> None:
        code = (
            "import sys, partinr.report.overlay, partinr.report.plots as plots, matplotlib as m\n"
            "assert 'torch' not in sys.modules and 'matplotlib.figure' not in sys.modules\n"
            # Looking at the backend would choose one.
            "look = lambda: {k: m.rcParams[k] for k in m.rcParams if k != 'backend'}\n"
            "before = look()\n"
            "plots.to_svg(lambda axes: axes.plot([1, 2]), 'x')\n"
            "plots.to_picture(lambda axes: axes.plot([1, 2]), width=2, height=1)\n"
            "assert look() == before and 'matplotlib.pyplot' not in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    @given(st.integers(1, 40), st.integers(0, 99))
    def test_short_signals_are_drawn_sample_by_sample(self, samples: int, seed: int) -> None:
        values = np.random.default_rng(seed).random(samples)
        x, y = envelope(values)
        assert x.tolist() == list(range(samples))
        assert y.tolist() == values.tolist()

    def test_long_signals_keep_every_peak(self) -> None:
        values = np.zeros(100_003, np.float32)
        values[77_777], values[5] = 9, -4
        x, y = envelope(values)
        assert len(x) == len(y) == 3000
        assert y.max() == 9
        assert y.min() == -4
        assert abs(x[y.argmax()] - 77_777) < 100


class TestConvergence:
    @given(st.lists(st.floats(0.01, 1), min_size=1, max_size=20), st.floats(0, 25), st.floats(0, 30))
    def test_agrees_with_a_walk_through_the_history(
        self, losses: list[float], time: float, level: float
    ) -> None:
        history = History(np.arange(1.0, len(losses) + 1), np.array(losses))
        expected = float(history.psnr[0])
        reached = None
        for seconds, psnr in zip(history.seconds, history.psnr, strict=True):
            if seconds <= time:
                expected = float(psnr)
            if psnr >= level and reached is None:
                reached = float(seconds)
        assert history.psnr_after(time) == expected
        assert history.seconds_to(level) == reached
