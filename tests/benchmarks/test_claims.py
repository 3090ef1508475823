from pathlib import Path
from typing import Any

import pytest

from benchmarks.analysis.cells import Cells
from benchmarks.analysis.claims import claims
from benchmarks.analysis.verdicts import (
    Claim,
    Evidence,
    Rule,
    Verdict,
    above,
    at_least,
    at_most,
    below,
    between,
    judged,
)  # fmt: skip
from benchmarks.grid import full
from benchmarks.intervals import Interval
from tests.benchmarks.made_up_series import MEBI, series

EXPERIMENTS: dict[str, Any] = {
    "cores": 2,
    "asyncio_threads": 6,
    "anyio_threads": 40,
    "elapsed": [
        {"work": "waiting", "pool": "asyncio.to_thread", "threads": 6, "seconds": [0.4, 0.41]},
        {"work": "computing", "pool": "asyncio.to_thread", "threads": 6, "seconds": [2.0, 2.1]},
    ],
}


def found(folder: Path, figures: dict[str, dict[str, Any]], experiments: dict[str, Any] | None = None) -> list[Claim]:
    made = series(folder / "full-1", full(2), figures, benchmark="full")
    return claims(Cells(made), experiments)


def of(folder: Path, said: str, figures: dict[str, dict[str, Any]], **more: Any) -> Claim:
    [claim] = [claim for claim in found(folder, figures, **more) if said in claim.said]
    return claim


@pytest.mark.parametrize(
    ("rule", "upheld", "refuted"),
    [
        (above(1), (1.1, 1.3), (0.8, 0.9)),
        (below(1), (0.8, 0.9), (1.1, 1.3)),
        (at_least(1), (1.0, 1.3), (0.8, 0.9)),
        (at_most(1), (0.8, 1.0), (1.1, 1.3)),
        (between(0.9, 1), (0.9, 1.0), (1.1, 1.3)),
        (between(0.9, 1), (0.95, 0.96), (0.7, 0.8)),
    ],
)
def test_a_rule_decides_only_where_the_whole_interval_is_on_one_side(
    rule: Rule, upheld: tuple[float, float], refuted: tuple[float, float]
) -> None:
    assert judged(Interval(1, *upheld), rule) == "upheld"
    assert judged(Interval(1, *refuted), rule) == "refuted"
    assert judged(Interval(1, 0.5, 2), rule) == "not shown"
    assert judged(Interval(1, None, None), rule) == "not shown"
    assert judged(None, rule) == "not measured"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (("upheld", "upheld"), "upheld"),
        (("upheld", "refuted"), "refuted"),
        (("upheld", "not shown"), "not shown"),
        (("upheld", "not measured"), "upheld"),
        (("not measured", "not measured"), "not measured"),
        ((), "not measured"),
    ],
)
def test_a_general_claim_is_refuted_by_one_case(verdicts: tuple[Verdict, ...], expected: Verdict) -> None:
    claim = Claim("?", tuple(Evidence("?", (), "?", None, verdict) for verdict in verdicts))

    assert claim.verdict == expected


def test_what_stands_beside_decides_nothing() -> None:
    beside = Evidence("?", (), "?", None, "refuted", counts=False)

    assert Claim("?", (Evidence("?", (), "?", None, "upheld"), beside)).verdict == "upheld"


def test_without_cells_and_experiments_nothing_was_measured(tmp_path: Path) -> None:
    assert {claim.verdict for claim in found(tmp_path, {})} == {"not measured"}


@pytest.mark.parametrize(
    ("said", "cell", "against", "figure", "upheld", "refuted"),
    [
        ("asyncio.to_thread", "text-to_thread", "text-blocking", "requests_per_second", 350, 90),
        ("2n + 1", "text-blocking-w5", "text-blocking-w2", "requests_per_second", 110, 90),
        ("def routes", "text-def_route", "text-blocking", "requests_per_second", 96, 60),
        ("ONNX", "boosting-64-onnx", "boosting-64-blocking", "requests_per_second", 110, 90),
        ("forests", "forest-64-threads-4", "forest-64-threads-1", "requests_per_second", 110, 90),
        ("preload", "forest-blocking-w2-preload", "forest-blocking-w2", "pss_bytes", 60 * MEBI, 110 * MEBI),
        ("batching", "forest-microbatch-c1", "forest-inline-c1", "p50_seconds", 0.005, 0.009),
        ("caching", "text-default-cached", "text-default", "p50_seconds", 0.005, 0.009),
        ("logging", "text-default-logged", "text-default", "requests_per_second", 93, 80),
    ],
)
def test_a_claim_is_upheld_or_refuted_by_its_cells(
    said: str, cell: str, against: str, figure: str, upheld: float, refuted: float, tmp_path: Path
) -> None:
    more = {"p99_seconds": 0.012} if said == "batching" else {}
    good = of(tmp_path / "good", said, {cell: {figure: upheld} | more, against: {}})
    bad = of(tmp_path / "bad", said, {cell: {figure: refuted}, against: {}})

    assert next(each.verdict for each in good.evidence if each.cells == (cell, against)) == "upheld"
    assert bad.verdict == "refuted"
    assert good.verdict == "upheld" or said == "batching"


def test_a_def_route_with_a_late_tail_is_not_fine(tmp_path: Path) -> None:
    claim = of(tmp_path, "def routes", {"text-def_route": {"p99_seconds": 0.03}, "text-blocking": {}})

    assert claim.tally == "refuted (1 upheld, 1 refuted, 4 not measured)"


def test_threads_of_other_models_stand_beside_the_forest(tmp_path: Path) -> None:
    figures = {f"{model}-threads-{count}": {} for model in ("numpy-64", "forest-64", "text-1") for count in (1, 2)}
    figures["forest-64-threads-2"] = {"requests_per_second": 150}

    claim = of(tmp_path, "forests", figures)

    assert claim.verdict == "upheld"
    assert [each.verdict for each in claim.evidence if not each.counts].count("not shown") == 2


def test_pools_are_counted_and_computing_callers_wait_for_each_other(tmp_path: Path) -> None:
    by_claim = {claim.said: claim for claim in found(tmp_path, {}, EXPERIMENTS)}

    pools, callers = by_claim["the default thread pool has 5 threads a core"], [*by_claim.values()][-1]
    assert [each.verdict for each in pools.evidence] == ["refuted", "refuted"]
    assert [(each.verdict, each.counts) for each in callers.evidence] == [("upheld", False), ("refuted", True)]
    assert callers.verdict == "refuted"


def test_pools_of_five_threads_a_core_would_be_upheld(tmp_path: Path) -> None:
    experiments = EXPERIMENTS | {"asyncio_threads": 10, "anyio_threads": 10}

    assert of(tmp_path, "5 threads", {}, experiments=experiments).verdict == "upheld"


def test_every_cell_that_a_claim_asks_for_is_in_the_grid_but_those_of_batches_at_one_connection(tmp_path: Path) -> None:
    known = {scenario.name for scenario in full(2)}
    asked = {name for claim in found(tmp_path, {}) for evidence in claim.evidence for name in evidence.cells}

    assert asked - known <= {"text-microbatch-c1", "text-inline-c1"}
