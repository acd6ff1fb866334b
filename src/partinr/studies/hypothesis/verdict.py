"""What the evidence supports, in plain sentences."""

from __future__ import annotations

from typing import Literal

from partinr.report.words import counted
from partinr.studies.hypothesis.evidence import Evidence, HeldOut, Interval
from partinr.studies.hypothesis.models import EXPONENTIAL, Linear

Support = Literal["supported", "undecided", "opposed"]

# Differences of AIC below the first say nothing, those above the second are strong.
# Source: Burnham, Anderson, "Model selection and multimodel inference", 2nd edition, 2002, section 2.6.
_NOTHING, _STRONG = 2.0, 10.0


def exponential_support(evidence: Evidence) -> Support | None:
    """Whether the exponential describes the runs better than every other family; None if nobody can say."""
    lead = _lead(evidence)
    if lead is None:
        return None
    return "undecided" if abs(lead) < _NOTHING else "supported" if lead > 0 else "opposed"


def faster_than_linear(evidence: Evidence) -> bool | None:
    """Whether steps grow faster than in proportion to the boundaries; None if nobody can say."""
    linear, best = evidence.contenders[Linear.name], evidence.ranked
    if linear.delta is None or len(best) < 2:
        return None
    return linear.delta > _NOTHING


def sentences(evidence: Evidence) -> list[str]:
    """The verdict and the numbers behind it, one statement each."""
    return [_conclusion(evidence), *_ranking(evidence), *_factors(evidence)]


def _lead(evidence: Evidence) -> float | None:
    """AIC of the best other family minus the exponential's."""
    deltas = {name: c.delta for name, c in evidence.contenders.items() if c.delta is not None}
    own = deltas.pop(EXPONENTIAL.name, None)
    return None if own is None or not deltas else min(deltas.values()) - own


def _conclusion(evidence: Evidence) -> str:
    lead = _lead(evidence)
    if lead is None:
        converged = int((~evidence.runs.censored).sum())
        of = counted(len(evidence.runs.sizes), "size")
        return f"No verdict: {converged} converged runs of {of} do not determine the curves."
    rival = next(name for name in evidence.ranked if name != EXPONENTIAL.name)
    growth = (
        "Steps grow faster than in proportion to the boundaries"
        if faster_than_linear(evidence)
        else "Steps are not shown to grow faster than in proportion to the boundaries"
    )
    degree = "clearly " if abs(lead) > _STRONG else ""
    support = exponential_support(evidence)
    if support == "undecided":
        return f"{growth}; an exponential and a {rival} cannot be told apart."
    better, worse = (EXPONENTIAL.name, rival) if support == "supported" else (rival, EXPONENTIAL.name)
    return (
        f"{growth}; {_article(better)} {better} describes them {degree}better than {_article(worse)} {worse}."
    )


def _ranking(evidence: Evidence) -> list[str]:
    ranked = evidence.ranked
    if len(ranked) < 2:
        return []
    first, *others = ranked
    deltas = [f"{name} +{evidence.contenders[name].delta:.1f}" for name in others]
    said = [f"AIC: {first} is best, {', '.join(deltas)}."]
    for title, attribute in (
        ("Sizes left out in turns", "crossed"),
        ("The largest third of sizes, predicted from the others", "extrapolated"),
    ):
        held: dict[str, HeldOut] = {}
        for name in ranked:
            one = getattr(evidence.contenders[name], attribute)
            if one is not None:
                held[name] = one
        if len(held) < 2:
            said.append(f"{title}: too few sizes.")
            continue
        best, *rest = sorted(held, key=lambda name: held[name].behind)
        behind = [f"{name} {held[name]}" for name in rest]
        said.append(f"{title}: {best} predicts best; behind it in log likelihood {', '.join(behind)}.")
    return said


def _factors(evidence: Evidence) -> list[str]:
    said = []
    published, fit = evidence.published, evidence.exponential
    if published is None:
        said.append("As published: no p, which takes five sizes.")
    else:
        bound = ", at the end of what the fit allows" if published.at_bound else ""
        said.append(f"As published: p = {published.p:.5f}{bound}, {_between(evidence.published_interval)}.")
    if fit is None:
        said.append("By maximum likelihood: no p.")
    else:
        censored = int(evidence.runs.censored.sum())
        said.append(
            f"By maximum likelihood, {censored} of {len(evidence.runs)} runs censored: p = {fit.p:.5f}, "
            f"{_between(evidence.interval)}."
        )
    return said


def _between(interval: Interval | None) -> str:
    if interval is None:
        return "interval unknown"
    return f"95 % interval {interval.low:.5f} to {interval.high:.5f}"


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"
