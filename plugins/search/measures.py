"""How good an order of answers is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2
from typing import Final

DEPTH: Final = 10


def ndcg(found: Sequence[str], grades: Mapping[str, int], depth: int = DEPTH) -> float:
    """Return the discounted gain of the first *depth* found, as a share of what the best order would gain.

    A grade gains `2^grade - 1`, and the less the lower it stands. What is found twice gains once. Where there is no
    answer, finding nothing is perfect, and finding anything is worth nothing.
    """
    if not any(grades.values()):
        return 0.0 if found else 1.0
    best = _gain(sorted(grades.values(), reverse=True)[:depth])
    return _gain(_graded_once(found[:depth], grades)) / best


def leads(found: Sequence[str], first: str) -> bool:
    """Return whether *first* stands before all others."""
    return bool(found) and found[0] == first


def mean(values: Sequence[float]) -> float:
    """Return the mean of at least one value."""
    return sum(values) / len(values)


def _gain(grades: Sequence[int]) -> float:
    return float(sum((2**grade - 1) / log2(place + 1) for place, grade in enumerate(grades, start=1)))


def _graded_once(found: Sequence[str], grades: Mapping[str, int]) -> Sequence[int]:
    return [0 if one in found[:place] else grades.get(one, 0) for place, one in enumerate(found)]
