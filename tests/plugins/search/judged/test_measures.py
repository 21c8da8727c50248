"""The measures, by hand."""

from __future__ import annotations

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.search.measures import leads, mean, ndcg

GRADES = {"a": 3, "b": 2, "c": 1}
#: What the order a, b, c gains.
BEST = 7 / log2(2) + 3 / log2(3) + 1 / log2(4)


def test_the_best_order_is_perfect_whatever_follows() -> None:
    assert ndcg(["a", "b", "c"], GRADES) == 1
    assert ndcg(["a", "b", "c", "x", "y"], GRADES) == 1


def test_the_order_counts() -> None:
    assert ndcg(["c", "b", "a"], GRADES) == pytest.approx((1 / log2(2) + 3 / log2(3) + 7 / log2(4)) / BEST)


def test_what_is_no_answer_takes_a_place() -> None:
    assert ndcg(["x", "a", "b", "c"], GRADES) == pytest.approx((7 / log2(3) + 3 / log2(4) + 1 / log2(5)) / BEST)


def test_what_is_left_out_is_missed() -> None:
    assert ndcg(["a"], GRADES) == pytest.approx(7 / BEST)
    assert ndcg([], GRADES) == 0


def test_what_is_found_twice_gains_once() -> None:
    assert ndcg(["a", "a", "a"], GRADES) == ndcg(["a"], GRADES)


def test_more_answers_than_places_can_be_perfect() -> None:
    """Nobody can put eleven answers in ten places."""
    many = {str(number): 3 for number in range(40)}

    assert ndcg([str(number) for number in range(10)], many) == 1


def test_what_stands_below_the_depth_gains_nothing() -> None:
    assert ndcg([*"0123456789", "a"], {"a": 3}) == 0
    assert ndcg([*"012345678", "a"], {"a": 3}) == pytest.approx(1 / log2(11))


def test_where_there_is_no_answer_finding_nothing_is_perfect() -> None:
    assert ndcg([], {}) == 1
    assert ndcg(["x"], {}) == 0
    assert ndcg(["x"], {"x": 0}) == 0


def test_only_the_first_leads() -> None:
    assert leads(["a", "b"], "a")
    assert not leads(["b", "a"], "a")
    assert not leads([], "a")


def test_the_mean_is_of_something() -> None:
    assert mean([0.0, 1.0]) == 0.5
    with pytest.raises(ZeroDivisionError):
        mean([])


@given(st.permutations("abcdefghijkl"), st.dictionaries(st.sampled_from("abcdefghijkl"), st.integers(1, 3), min_size=1))
def test_no_order_is_better_than_the_best(found: list[str], grades: dict[str, int]) -> None:
    best = sorted(found, key=lambda one: -grades.get(one, 0))

    assert 0 <= ndcg(found, grades) <= ndcg(best, grades) == pytest.approx(1)
