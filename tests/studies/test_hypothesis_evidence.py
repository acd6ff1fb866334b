"""The two analyses: the published numbers, curves that are known, censoring, and what cannot be computed."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import trapezoid

from partinr.studies.hypothesis.evidence import weigh
from partinr.studies.hypothesis.likelihood import fit_model
from partinr.studies.hypothesis.models import EXPONENTIAL, MODELS, Linear, Model, Power, Quadratic, Span
from partinr.studies.hypothesis.observations import Observations
from partinr.studies.hypothesis.published import fit_published
from partinr.studies.hypothesis.signals import PUBLISHED_1D, PUBLISHED_2D
from partinr.studies.hypothesis.verdict import exponential_support, faster_than_linear, sentences

DATA = Path(__file__).parents[1] / "data"
LIMIT = 4000


def published(dims: int) -> Observations:
    """The published step counts."""
    steps = np.load(DATA / f"steps_{dims}d.npy").astype(np.float64)
    sizes = np.array([float(size.boundaries) for size in (PUBLISHED_1D, PUBLISHED_2D)[dims - 1]])
    return Observations(np.tile(sizes, len(steps)), steps.ravel(), steps.ravel() >= LIMIT)


def drawn(
    model: Model, bend: float, repeats: int = 40, deviation: float = 0.1, limit: float = 1e9
) -> Observations:
    """Runs that follow a curve."""
    boundaries = np.repeat(np.arange(1.0, 30, 3), repeats)
    curve = 20 + 500 * model.shape(boundaries, Span(1, 28), bend)
    steps = curve * np.exp(deviation * np.random.default_rng(0).standard_normal(len(curve)))
    return Observations(boundaries, np.minimum(steps, limit), steps >= limit)


@pytest.mark.parametrize(("dims", "p"), [(1, 1.0656), (2, 1.00815)])
def test_the_published_analysis_gives_the_published_numbers(dims: int, p: float) -> None:
    fit = fit_published(published(dims))
    assert fit is not None
    assert fit.p == pytest.approx(p, abs=5e-5 if dims == 1 else 5e-6)
    assert not fit.at_bound


def test_what_the_published_counts_support() -> None:
    """One dimension speaks for a power law, two for an exponential, both against a straight line."""
    line, plane = weigh(published(1), 20), weigh(published(2), 20)
    assert (exponential_support(line), exponential_support(plane)) == ("opposed", "supported")
    assert line.ranked[0] == "power law"
    assert plane.ranked[0] == "exponential"
    assert faster_than_linear(line)
    assert faster_than_linear(plane)
    assert plane.facts()["censored"] == 7
    assert line.published_interval is not None
    assert 1.0656 in line.published_interval
    assert "a power law describes them clearly better than an exponential" in sentences(line)[0]


@pytest.mark.parametrize(
    ("model", "bend"), [(EXPONENTIAL, 2.5), (Power(), 2.2), (Quadratic(), 0.8), (Linear(), 0.0)]
)
def test_a_known_curve_is_found(model: Model, bend: float) -> None:
    runs = drawn(model, bend, repeats=20)
    fit = fit_model(model, runs)
    assert fit is not None
    assert fit.median(runs.sizes) == pytest.approx(
        20 + 500 * model.shape(runs.sizes, Span(1, 28), bend), rel=0.1
    )
    assert fit.deviation(runs.sizes) == pytest.approx(np.full(len(runs.sizes), 0.1), rel=0.3)
    evidence = weigh(runs, 20)
    if model.bends:
        assert fit.bend == pytest.approx(bend, rel=0.1)
        assert evidence.ranked[0] == model.name
        assert faster_than_linear(evidence)
    else:
        # Every other family has a straight line among its curves, and an additional number to fit.
        delta = evidence.contenders[model.name].delta
        assert delta is not None
        assert delta < 4


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("dims", [1, 2])
def test_no_other_optimiser_finds_more(model: Model, dims: int) -> None:
    from scipy.optimize import minimize

    runs = published(dims)
    fit = fit_model(model, runs)
    assert fit is not None
    found = minimize(
        lambda x: -replace(fit, numbers=x).densities(runs).sum(), fit.numbers + 0.05, method="Nelder-Mead"
    )
    assert fit.log_likelihood >= -found.fun - 1e-3
    assert fit.log_likelihood == pytest.approx(float(fit.densities(runs).sum()))


def test_censored_runs_count_as_more_than_the_limit() -> None:
    whole, cut = drawn(EXPONENTIAL, 2.5), drawn(EXPONENTIAL, 2.5, limit=300)
    assert cut.censored.mean() > 0.1
    truth = fit_model(EXPONENTIAL, whole)
    censored = fit_model(EXPONENTIAL, cut)
    naive = fit_model(EXPONENTIAL, Observations(cut.boundaries, cut.steps, np.zeros(len(cut), bool)))
    assert truth is not None
    assert censored is not None
    assert naive is not None
    assert censored.p == pytest.approx(truth.p, abs=0.01)
    assert naive.p < truth.p - 0.02


def test_censored_probability_by_integration() -> None:
    """The probability of a censored run is the area under the density beyond the limit."""
    fit = fit_model(EXPONENTIAL, published(2))
    assert fit is not None
    steps = np.exp(np.linspace(math.log(2000), math.log(2e8), 200_001))
    many = Observations(np.full(len(steps), 400.0), steps, np.zeros(len(steps), bool))
    area = trapezoid(np.exp(fit.densities(many)), steps)
    one = Observations(np.array([400.0]), np.array([2000.0]), np.array([True]))
    assert math.exp(fit.densities(one)[0]) == pytest.approx(area, rel=1e-4)


def test_the_interval_covers_the_truth_and_shrinks_with_more_runs() -> None:
    few = weigh(drawn(EXPONENTIAL, 2.5, repeats=3, deviation=0.3), 40).interval
    many = weigh(drawn(EXPONENTIAL, 2.5, repeats=40, deviation=0.3), 40).interval
    assert few is not None
    assert many is not None
    assert math.exp(2.5 / 27) in many
    assert many.high - many.low < 0.6 * (few.high - few.low)


@pytest.mark.parametrize("kept", [0, 1, 2, 4])
def test_what_cannot_be_computed_is_missing(kept: int) -> None:
    """Sizes enough for nothing, for some curves, or for likelihood and not for the published analysis."""
    runs = published(1)
    evidence = weigh(runs.pick(runs.boundaries < 2 * kept), 20)
    facts = evidence.facts()
    json.dumps(facts, allow_nan=False)
    assert facts["published"]["p"] is None
    assert facts["published"]["p_interval"] is None
    assert (facts["likelihood"]["p"] is None) == (kept < 3)
    assert (exponential_support(evidence) is None) == (kept < 3)
    assert any("no p" in sentence for sentence in sentences(evidence))
    assert all("nan" not in sentence for sentence in sentences(evidence))


def test_nothing_converged() -> None:
    runs = Observations(np.repeat(np.arange(8.0), 5), np.full(40, 100.0), np.ones(40, bool))
    evidence = weigh(runs, 20)
    assert evidence.exponential is None
    assert evidence.interval is None
    assert evidence.ranked == []
    assert sentences(evidence)[0].startswith("No verdict: 0 converged runs of 8 sizes")
