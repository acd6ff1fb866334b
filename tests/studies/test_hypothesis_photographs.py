"""Photographs: what counts as a boundary, what is varied, and the correlation against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from scipy.stats import spearmanr

from partinr import InputError, from_array
from partinr.engines.torch_engine import TorchEngine
from partinr.model.networks import Siren
from partinr.studies.hypothesis.correlation import Correlation, Ranking, correlate, pooled_steps
from partinr.studies.hypothesis.evidence import Interval
from partinr.studies.hypothesis.photographs import Picture, Trials, trials_table, variants
from partinr.studies.hypothesis.signals import Size, StepSignal
from partinr.studies.hypothesis.sweep import Rules


def test_a_step_signal_has_the_edges_that_it_has() -> None:
    """For values of -1 and 1 both measures are the length of the border in samples."""
    axis = np.linspace(-1, 1, 40)
    coords = np.stack([one.ravel() for one in np.meshgrid(axis, axis, indexing="ij")], axis=1)
    values = StepSignal.drawn(Size((3, 4)), 5)(coords).reshape(40, 40).astype(np.float64)
    border = int((values[1:] != values[:-1]).sum() + (values[:, 1:] != values[:, :-1]).sum())
    picture = Picture("a", "original", "original", values)
    assert picture.edges == border > 0
    assert picture.variation == pytest.approx(border)


def test_variants_have_variance_one_and_blur_takes_boundaries_away() -> None:
    made = variants("astronaut", from_array(skimage.data.astronaut(), kind="image"), 32)
    assert [picture.kind for picture in made] == (
        ["original", *["blur"] * 3, *["posterise"] * 3, *["crop"] * 4]
    )
    for picture in made:
        assert picture.values.shape == (32, 32)
        assert picture.values.mean() == pytest.approx(0, abs=1e-9)
        assert picture.values.std() == pytest.approx(1)
    variation = [picture.variation for picture in made[:4]]
    assert variation == sorted(variation, reverse=True)
    assert [len(np.unique(picture.values)) for picture in made[4:7]] == [2, 3, 5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((40, 50, 3), 7, np.uint8), "constant and has no boundaries"),
        (np.zeros((40, 20), np.uint8), "at least 32 pixels a side, got 20"),
        (np.zeros(50, np.uint8), "must be a picture of two axes, got 1"),
    ],
)
def test_bad_pictures(values: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        variants("photo.png", from_array(values), 32)


def test_no_repeats() -> None:
    with pytest.raises(InputError, match="repeats must be at least 1, got 0"):
        Trials(repeats=0)


def test_correlation_is_spearmans() -> None:
    generator = np.random.default_rng(1)
    x = generator.integers(0, 9, 40).astype(float)
    y = x + generator.integers(0, 9, 40)
    found = correlate(x.tolist(), y.tolist(), [str(i) for i in range(40)], 200)
    assert found.value == pytest.approx(spearmanr(x, y).statistic)
    assert found.interval is not None
    assert found.value in found.interval
    # Ten copies of every picture tell nothing new.
    copies = [str(i) for i in range(40) for _ in range(10)]
    again = correlate(np.repeat(x, 10).tolist(), np.repeat(y, 10).tolist(), copies, 200)
    assert again.interval is not None
    width = found.interval.high - found.interval.low
    assert again.interval.high - again.interval.low == pytest.approx(width, rel=0.25)


def test_a_correlation_that_cannot_be_computed_is_missing() -> None:
    for x, y in (([1, 2, 3, 4], [1, 2, 3, 4]), ([1] * 9, range(9)), (range(9), [7] * 9)):
        found = correlate(list(x), list(y), ["a"] * len(x), 20)
        assert (found.value, found.interval) == (None, None)


@pytest.mark.parametrize(
    ("edges", "variation", "said"),
    [
        ((0.1, 0.5), (0.2, 0.6), ", more boundaries go with more steps."),
        ((-0.5, -0.1), (-0.6, -0.2), ", more boundaries go with fewer steps."),
        ((-0.1, 0.5), (-0.2, 0.6), ", boundaries and steps are not shown to go together."),
        ((-0.1, 0.5), (0.2, 0.6), ", whether boundaries and steps go together depends on the measure."),
        (None, (0.2, 0.6), ": no verdict."),
    ],
)
def test_what_correlations_say(
    edges: tuple[float, float] | None, variation: tuple[float, float], said: str
) -> None:
    found = {
        name: Correlation(0.3, None if ends is None else Interval(*ends), 12)
        for name, ends in (("edges", edges), ("variation", variation))
    }
    unknown = dict.fromkeys(found, Correlation(None, None, 1))
    sentences = Ranking((), (), {"all": found, "originals": unknown}).sentences()
    assert sentences[0] == f"Among all 12 pictures{said}"
    assert f"95 % interval {variation[0]:.2f} to {variation[1]:.2f}" in sentences[2]
    assert sentences[3] == "Among one unchanged photograph: no verdict."
    assert "rank correlation unknown" in sentences[4]


def test_pictures_are_learned() -> None:
    made = variants("camera", from_array(skimage.data.camera(), kind="image"), 16)[:3]
    trials = Trials(Siren(12, 1, 30.0, 30.0), 2, Rules(0.3, 40, 1e-2))
    sweep = trials.prepare(made, TorchEngine(threads=1))
    assert sweep.run()
    found = trials.outcome(made, sweep)
    steps = pooled_steps(found, made)
    assert len(found) == 6
    assert steps[1] == pytest.approx(np.sqrt(found[2].steps * found[3].steps))
    assert trials_table(found).count("\n") == 7
