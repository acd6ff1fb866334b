"""What lies between the samples: means, smoothness, details, and what never changes."""

from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import BSpline

import between_reader
import partinr
from partinr import InputError
from partinr.model import kernel
from partinr.model.between import details, spline
from partinr.model.between.details import Details
from partinr.model.seams import seam
from partinr.signals import frames


def photograph(rows=48, columns=60):
    from skimage.data import astronaut

    return astronaut()[60 : 60 + rows, 180 : 180 + columns]


def fitted(values, between, goal=None):
    goal = goal or partinr.Compact(psnr=45)
    return partinr.fit(partinr.from_array(values, kind="image"), goal=goal, between=between).model


@pytest.mark.usefixtures("way")
def test_spline_matches_scipy_and_its_means_are_the_values():
    values = np.random.default_rng(0).random((70, 2)).astype(np.float32)
    found = spline.coefficients(values, 0)
    places = np.linspace(25, 40, 61)
    # Cubic B-splines centred on whole numbers.
    reference = BSpline(np.arange(-2, 72), found.astype(np.float64), 3)
    for order in range(3):
        derived = reference.derivative(order) if order else reference
        got = spline.at_points(places, order).apply(found, 0)
        np.testing.assert_allclose(got, derived(places), atol=2e-5)
    edges = np.arange(19.5, 50)
    np.testing.assert_allclose(spline.over(edges).apply(found, 0), values[20:50], atol=1e-6)
    whole = np.array([reference.integrate(a, b) for a, b in zip(edges[:-1:4], edges[4::4], strict=False)]) / 4
    np.testing.assert_allclose(spline.over(edges[::4]).apply(found, 0)[: len(whole)], whole, atol=1e-6)


def test_means_of_derivatives_are_differences():
    values = np.random.default_rng(1).random((60, 1)).astype(np.float32)
    found = spline.coefficients(values, 0)
    edges = np.array([20.0, 20.25, 21, 23.5])
    ends = spline.at_points(edges).apply(found, 0)
    np.testing.assert_allclose(
        spline.over(edges, 1).apply(found, 0), np.diff(ends, axis=0) / np.diff(edges)[:, None], atol=2e-6
    )


@pytest.mark.parametrize("sizes", [((5, 4), (3, 3)), ((3, 16), (3, 16), (1, 3)), ((1, 5), (3, 3))])
def test_native_details_are_numpys(sizes, monkeypatch):
    if kernel.why_missing():
        pytest.skip("no native kernel")
    random = np.random.default_rng(0)
    fan_ins = (1, *(planes for _, planes in sizes))
    layers = tuple(
        random.normal(size=(side, side, fan_in, planes)).astype(np.float32) / side
        for fan_in, (side, planes) in zip(fan_ins, sizes, strict=False)
    )
    network = Details(random.normal(size=(7, 7, 1, 3)).astype(np.float32), layers)
    for shape in ((7, 7, 1), (83, 9, 2), (75, 150, 3)):
        values = random.random(shape).astype(np.float32)
        native = network.halved(values)
        with monkeypatch.context() as without:
            without.setattr(kernel, "why_missing", lambda: "not asked for")
            plain = network.halved(values)
        assert native.shape == (2 * (shape[0] - 6), 2 * (shape[1] - 6), shape[2])
        np.testing.assert_allclose(native, plain, atol=2e-5)


@pytest.mark.usefixtures("way")
def test_details_scale_with_values_and_flat_parts_stay_flat():
    network = details.photographs()[0]
    values = np.random.default_rng(0).random((30, 40, 1)).astype(np.float32)
    found = network.halved(values)
    np.testing.assert_allclose(network.halved(7 * values), 7 * found, atol=2e-5)
    np.testing.assert_allclose(network.halved(values + 3), found + 3, atol=2e-5)
    reach = network.reach
    means = found.reshape(30 - 2 * reach, 2, 40 - 2 * reach, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(means, values[reach:-reach, reach:-reach, 0], atol=1e-6)


@pytest.mark.parametrize("between", ["smooth", "learned"])
@pytest.mark.parametrize("scale", [2, 3, 4, 5])
def test_means_over_the_samples_are_the_samples(between, scale):
    signal = partinr.from_array(photograph() / 255.0, kind="image", value_range=(0, 1))
    model = partinr.fit(signal, goal=partinr.Compact(psnr=45), between=between).model
    large = partinr.render(model, scale=scale)
    means = large.reshape(48, scale, 60, scale, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(means, partinr.render(model), atol=1e-5)
    half = partinr.render(model, scale=0.5)
    np.testing.assert_allclose(half, means.reshape(24, 2, 30, 2, 3).mean(axis=(1, 3)), atol=1e-5)


def test_the_samples_do_not_depend_on_what_is_between():
    trained = partinr.fit(photograph(), partinr.Grid(2, 2), goal=partinr.Steps(5)).model
    for between in ("none", "smooth"):
        found = partinr.render(trained, between=between)
        np.testing.assert_array_equal(found, partinr.render(trained, between="learned"))
    # Boxes' borders alone are left as rounding made them where networks say everything.
    boxes = fitted(photograph(), "smooth")
    np.testing.assert_array_equal(partinr.render(boxes), partinr.render(boxes, between="learned"))


@pytest.mark.parametrize("shape", [(50,), (24, 30), (9, 12, 10)])
@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_constant_and_linear_signals_stay_so(shape, slope):
    grids = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    plane = 0.3 + slope * sum((a + 1) * grid for a, grid in enumerate(grids)) / (10 * sum(shape))
    signal = partinr.from_array(plane, value_range=(0, 1))
    model = partinr.fit(signal, goal=partinr.Compact(psnr=85)).model
    assert model.signal.between == "smooth"
    fine = np.meshgrid(*((np.arange(4 * n) + 0.5) / 4 - 0.5 for n in shape), indexing="ij")
    expected = 0.3 + slope * sum((a + 1) * grid for a, grid in enumerate(fine)) / (10 * sum(shape))
    np.testing.assert_allclose(partinr.render(model, scale=4), expected, atol=1e-3)


@pytest.mark.parametrize("scale", [1.5, 2, 4])
@pytest.mark.parametrize("between", ["smooth", "learned"])
def test_a_part_is_the_same_part_of_the_whole(between, scale):
    model = fitted(photograph(80, 100), between)
    whole = partinr.render(model, scale=scale)
    part = partinr.render(model, scale=scale, crop=((20, 52), (60, 100)))
    found = whole[int(20 * scale) : int(52 * scale), int(60 * scale) :]
    assert np.abs(part.astype(int) - found).max() <= 1
    assert (part != found).mean() < 1e-3


def test_slabs_are_the_whole(monkeypatch):
    model = fitted(photograph(60, 50), "learned")
    whole = partinr.render(model, scale=3)
    monkeypatch.setattr("partinr.model.between.lattice._SLAB", 1000)
    assert np.abs(partinr.render(model, scale=3).astype(int) - whole).max() <= 1


def test_learned_details_are_closer_to_the_photograph_than_filters():
    from PIL import Image
    from skimage.data import hubble_deep_field

    original = hubble_deep_field()[:400, :400]
    rows, columns = original.shape[:2]
    for resample in (Image.Resampling.BOX, Image.Resampling.BICUBIC):
        small = np.asarray(Image.fromarray(original).resize((columns // 2, rows // 2), resample))
        model = fitted(small, None, partinr.Compact(psnr=42))
        assert model.signal.between == "learned"
        errors = {
            between: float(
                ((partinr.render(model, scale=2, between=between) - original.astype(float)) ** 2).mean()
            )
            for between in ("learned", "smooth", "none")
        }
        filtered = Image.fromarray(small).resize((columns, rows), Image.Resampling.LANCZOS)
        lanczos = float(((np.asarray(filtered) - original.astype(float)) ** 2).mean())
        assert errors["learned"] < errors["smooth"] < errors["none"]
        assert errors["learned"] < lanczos


def test_borders_of_regions_do_not_show():
    for goal in (partinr.Compact(psnr=36), partinr.Growing(34)):
        model = fitted(photograph(96, 96), None, goal)
        assert model.regions > 1
        assert seam(model) < 1.1 < seam(model.with_between("none"))


def test_what_is_taken_where_nothing_is_said():
    image = photograph(16, 20)
    assert fitted(image, None).signal.between == "learned"
    assert partinr.fit(image).model.signal.between == "learned"
    assert partinr.fit(image / 255.0).model.signal.between == "smooth"
    assert partinr.fit(np.linspace(0, 1, 40)).model.signal.between == "smooth"
    paper = partinr.PAPER.changed(steps=2, like_one=None)
    assert partinr.fit(image, network=partinr.Siren(8, 1), recipe=paper).model.signal.between == "none"


def test_the_file_keeps_it_and_a_file_without_it_means_none(tmp_path):
    for between in ("none", "smooth", "learned"):
        model = fitted(photograph(16, 20), between)
        for store in ("float32", "compact"):
            partinr.save(model, tmp_path / "a.inr", store=store)
            assert partinr.load(tmp_path / "a.inr").signal.between == between
    sizes = []
    for between in ("none", "learned"):
        partinr.save(fitted(photograph(), between), tmp_path / "a.inr", store="compact")
        sizes.append((tmp_path / "a.inr").stat().st_size)
    assert 0 < sizes[1] - sizes[0] < 32


def test_details_of_photographs_need_two_axes():
    with pytest.raises(InputError, match="have 2 axes, got 1"):
        partinr.fit(np.linspace(0, 1, 40), between="learned")


@pytest.mark.parametrize("between", ["smooth", "learned"])
@pytest.mark.parametrize("scale", [1.5, 2, 3, 4])
def test_an_independent_reader_of_the_format_agrees(between, scale):
    signal = partinr.from_array(photograph(36, 40) / 255.0, kind="image", value_range=(0, 1))
    model = partinr.fit(signal, goal=partinr.Compact(psnr=33), between=between).model
    alone = model(frames.raster(model.signal.shape)).reshape(36, 40, 3).astype(np.float64)
    samples = between_reader.closed(alone, model.spectra)
    np.testing.assert_allclose(partinr.render(model), samples, atol=2e-6)
    assert np.abs(samples - alone).max() > 1e-3
    expected = between_reader.rendering(samples, scale, between == "learned")
    np.testing.assert_allclose(partinr.render(model, scale=scale), expected, atol=2e-5)


def test_the_format_names_the_networks_that_ship():
    page = Path(__file__).parents[2] / "docs" / "format.md"
    assert between_reader.digest() in page.read_text(encoding="utf-8")


def test_an_edge_rings_no_more_than_bicubic_and_a_zone_plate_gets_no_waves():
    from PIL import Image

    rows, columns = np.mgrid[0:96, 0:96]
    edge = np.clip((columns - 30 - rows * 0.3) * 0.7 + 0.5, 0, 1)
    small = np.rint(edge * 160 + 40).astype(np.uint8)
    model = fitted(small, "learned", partinr.Compact(psnr=65))
    large = partinr.render(model, scale=4)[60:-60, 60:-60].astype(int)
    cubic = Image.fromarray(small).resize((384, 384), Image.Resampling.BICUBIC)
    cubic = np.asarray(cubic)[60:-60, 60:-60].astype(int)
    beyond = [max(values.max() - 200, 40 - values.min()) for values in (large, cubic)]
    # The fit itself errs by up to a level.
    assert beyond[0] <= beyond[1] + 1
    # Sines of all frequencies up to 0.35 cycles a sample, as means: what is not in the samples is not added.
    fine = (np.mgrid[0:384, 0:384] + 0.5) / 4
    plate = 0.5 + 0.4 * np.cos(0.35 * np.pi / 96 * ((fine - 48) ** 2).sum(axis=0) * 2)
    samples = plate.reshape(96, 4, 96, 4).mean(axis=(1, 3))
    small = np.rint(samples * 255).astype(np.uint8)
    found = partinr.render(fitted(small, "learned", partinr.Compact(psnr=50)), scale=4)
    cubic = np.asarray(Image.fromarray(small).resize((384, 384), Image.Resampling.BICUBIC))
    inner = (slice(40, -40), slice(40, -40))
    errors = [np.sqrt(((values / 255 - plate)[inner] ** 2).mean()) for values in (found, cubic)]
    assert errors[0] < errors[1]
