"""A series of peers: what fails is left out with the reason, what is shown is what was measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.failures import ServerFailed, WrongAnswer
from benchmarks.peers.catalogue import ARMS, NOT_MEASURED
from benchmarks.peers.contract import Arm
from benchmarks.peers.filling import fill
from benchmarks.report import rendered
from benchmarks.reporting import peers_in_full, peers_table
from benchmarks.series import Series
from tests.benchmarks.made_up_results import ENVIRONMENT

MEBI = 2**20
INLINE, BATCHES, LITSERVE, RAY = (
    next(arm for arm in ARMS if arm.name == name) for name in ("forkcast", "forkcast-batching", "litserve", "ray")
)
CONDITIONS = {
    "quick": False, "model": "text", "repetitions": 3, "warm_up_seconds": 2, "window_seconds": 5, "seed": 20,
}  # fmt: skip
PEERS = {"litserve": {"litserve": "0.2.19", "scikit-learn": "1.9.1"}}


def series(folder: Path, arms: tuple[Arm, ...], **conditions: Any) -> Series:
    return Series.begin(
        folder, benchmark="peers", environment={**ENVIRONMENT, "peers": PEERS}, conditions=CONDITIONS | conditions,
        scenarios=arms,
    )  # fmt: skip


def load(rate: float, p99: float | None = 0.02) -> dict[str, Any]:
    return {
        "requests": rate * 5, "requests_per_second": rate, "p50_seconds": 0.01, "p99_seconds": p99, "cpu_share": 0.1,
        "server_cpu_seconds": 5.0,
    }  # fmt: skip


def recovery(seconds: float | None, lacking: str | None = None) -> dict[str, Any]:
    return {"victim": "python worker.py", "seconds": seconds, "lacking": lacking, "failed": 7, "requests": 900}


def row(arm: Arm, rate: float = 100, hurt: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "scenario": arm.name, "started": "2026-01-02T03:04:05+00:00", "ended": "2026-01-02T03:05:05+00:00",
        "calibration_seconds": [0.1, 0.1], "steal_share": 0.0, "void": [], "start_seconds": 2.5,
        "loads": {"1": load(rate / 10, None), "32": load(rate), "128": load(2 * rate)},
        "pss_bytes": 300 * MEBI, "recovery": dict(hurt or recovery(1.25)),
    }  # fmt: skip


def lines(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(start)]


def test_each_arm_is_measured_once_a_block_in_an_order_of_its_own(tmp_path: Path) -> None:
    made = series(tmp_path / "peers-1", (INLINE, BATCHES, LITSERVE, RAY))
    order: list[str] = []

    def measure(arm: Arm) -> dict[str, Any]:
        order.append(arm.name)
        return row(arm)

    fill(made, (INLINE, BATCHES, LITSERVE, RAY), measure)

    blocks = [order[start : start + 4] for start in range(0, 12, 4)]
    assert all(sorted(block) == sorted(blocks[0]) for block in blocks)
    assert len({tuple(block) for block in blocks}) > 1
    assert made.finished


@pytest.mark.parametrize("failure", [ServerFailed("the server ended with status 1", "Traceback"), WrongAnswer("no")])
def test_an_arm_that_fails_once_is_left_out_with_the_reason(failure: Exception, tmp_path: Path) -> None:
    made = series(tmp_path / "peers-1", (INLINE, LITSERVE))
    asked: list[str] = []

    def measure(arm: Arm) -> dict[str, Any]:
        asked.append(arm.name)
        if asked.count("litserve") == 2:
            raise failure
        return row(arm)

    fill(made, (INLINE, LITSERVE), measure)
    short, full = peers_table.render(made), peers_in_full.render(made)

    assert asked.count("litserve") == 2
    assert asked.count("forkcast") == 3
    for text in (short, full):
        assert not any("| no | 1" in line or " 100 " in line for line in lines(text, "| LitServe"))
        [told] = lines(text, "- Not measured: litserve")
        assert str(failure).partition("\n")[0].split(";")[0] in told
    assert "Traceback" not in short
    assert len(lines(short, "| LitServe")) == 0


def test_what_the_machine_disturbed_is_made_again_once(tmp_path: Path) -> None:
    made = series(tmp_path / "peers-1", (INLINE,), repetitions=1)

    fill(made, (INLINE,), lambda arm: {**row(arm), "steal_share": 0.5})

    assert [bool(run["void"]) for run in made.runs] == [True, True]
    assert lines(peers_table.render(made), "- Not measured: forkcast: every run was void")


def test_a_series_goes_on_with_what_it_lacks(tmp_path: Path) -> None:
    made = series(tmp_path / "peers-1", (INLINE, LITSERVE), repetitions=1)
    fill(made, (INLINE,), row)
    asked: list[str] = []

    def measure(arm: Arm) -> dict[str, Any]:
        asked.append(arm.name)
        return row(arm)

    fill(made, (INLINE, LITSERVE), measure)

    assert asked == ["litserve"]


def test_the_table_has_medians_with_intervals_and_every_recovery(tmp_path: Path) -> None:
    made = series(tmp_path / "peers-1", (BATCHES,))
    hurts = [recovery(1.25), recovery(None, "missing: 1 of python worker.py"), recovery(None, "the server ended")]
    for block, (rate, hurt) in enumerate(zip((90, 100, 110), hurts, strict=True)):
        made.save({"block": block, "attempt": 0, **row(BATCHES, rate, hurt)})

    [short] = lines(peers_table.render(made), "| Forkcast")
    full = lines(peers_in_full.render(made), "| Forkcast")

    assert "| 100 (90 to 110) |" in short
    assert "| 300 (300 to 300) MiB |" in short
    assert "1.2 s / not within 30 s / never: the server ended" in short
    assert [line.split(" | ")[2] for line in full[:3]] == ["1", "32", "128"]
    assert "too few requests" in full[0]
    assert "20.0 (20.0 to 20.0) ms" in full[1]
    assert "missing: 1 of python worker.py; the server ended" in full[3]
    assert "7 of 900 / 7 of 900 / 7 of 900" in full[3]


def test_who_is_not_measured_is_told_in_every_table(tmp_path: Path) -> None:
    made = series(tmp_path / "peers-1", (LITSERVE,))
    made.save({"block": 0, "attempt": 0, **row(LITSERVE)})

    for text in (peers_table.render(made), peers_in_full.render(made)):
        assert lines(text, "- Not measured: TensorFlow Serving") == [
            f"- Not measured: TensorFlow Serving: {NOT_MEASURED['TensorFlow Serving']}."
        ]
    assert "litserve 0.2.19, scikit-learn 1.9.1" in peers_in_full.render(made)


@pytest.mark.parametrize("name", ["peers", "peers-in-full"])
def test_a_page_is_rendered_from_the_newest_series_and_says_where_there_is_none(name: str, tmp_path: Path) -> None:
    page = f"<!-- results: {name} -->\n<!-- end -->"
    before = rendered(page, tmp_path)
    made = series(tmp_path / "peers-20260101T000000", (LITSERVE,))
    fill(made, (LITSERVE,), row)

    after = rendered(page, tmp_path)

    assert peers_table.NOT_YET in before
    assert peers_table.NOT_YET not in after
    assert "| LitServe |" in after
