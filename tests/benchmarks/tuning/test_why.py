"""The reasons in words, of tunings whose scores are made up."""

import json
from dataclasses import asdict, replace

import pytest

from benchmarks.intervals import paired_ratio
from benchmarks.tables import render
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.choosing import Block, chosen
from benchmarks.tuning.claim import LEAST, figure
from benchmarks.tuning.exhaustive import Exhausted
from benchmarks.tuning.halving import Score, Trial
from benchmarks.tuning.record import recorded
from benchmarks.tuning.tuning import Demand, Tuned
from benchmarks.tuning.why import as_table, sentences
from tests.benchmarks.made_up_results import ENVIRONMENT

MEGABYTE = 1_000_000
TWO, THREADS, ONE = Candidate(2, "inline"), Candidate(2, "threads", 2), Candidate(1, "inline")
OFF = Candidate(2, "inline", acceleration="off")
LARGE = Candidate(3, "inline")
BATCHES, SMALLER = Candidate(2, "microbatch"), Candidate(2, "microbatch", max_batch_size=16)
CLOSED = {TWO: 1_200.0, THREADS: 1_100.0, ONE: 600.0, OFF: 300.0, BATCHES: 1_100.0, SMALLER: 1_150.0, LARGE: 1_300.0}
FINALS = {TWO: [1_000.0, 1_010.0, 990.0], THREADS: [800.0, 810.0, 790.0], BATCHES: [850.0, 860.0, 840.0]}


def score(candidate: Candidate, rate: float, *, closed: bool = False) -> Score:
    return Score(rate, 100 * candidate.workers * MEGABYTE, closed=closed)


def tuned() -> Tuned:
    trials = [Trial("screened", each, score(each, rate, closed=True)) for each, rate in CLOSED.items()]
    trials[-1] = Trial("screened", LARGE, score(LARGE, 1_300.0, closed=True), "takes 300 MB, over 250 MB")
    held = {TWO: 1_000.0, THREADS: 900.0, BATCHES: 900.0, SMALLER: 500.0}
    trials += [Trial("short", each, score(each, rate)) for each, rate in held.items()]
    trials += [Trial("short", each, None, "answers at most less") for each in (ONE, OFF)]
    finals = [Block({each: score(each, rates[block]) for each, rates in FINALS.items()}) for block in range(3)]
    return Tuned(Demand(), 0.025, 0.001, "linear_text", trials, finals, chosen(finals, None), 970.0, [])


def test_the_choice_is_told_with_its_rate_its_objective_and_its_memory() -> None:
    said = "\n".join(sentences(tuned(), TWO))

    assert "Chosen: 2 workers, inline, acceleration auto." in said
    assert "It holds 970 requests/s of Poisson arrivals with p99 within 25 ms, 5 windows in a row, in 200 MB" in said
    assert "1,000 (990 to 1,010) requests/s, the median of 3 fresh servers" in said
    assert f"Next best: {BATCHES.name}; the choice's rate to its is 1.18 (" in said


def test_a_choice_by_a_closed_loop_is_told_as_one() -> None:
    made = replace(tuned(), generator_share=0.9)
    for block in made.finals:
        block.scores.update({each: replace(score, closed=True) for each, score in block.scores.items()})

    said = "\n".join(sentences(made, THREADS))

    assert "Beside our own load generator it holds at least 970 requests/s of Poisson arrivals" in said
    assert "Our own load generator would take 90% of the cores" in said
    assert "by a closed loop of at most 32 connections a worker: 1,000 (990 to 1,010) requests/s" in said
    assert (
        f"Against {THREADS.name}, which is served where nothing is set: 1.25 (1.25 to 1.25), in a closed loop" in said
    )
    said = "\n".join(sentences(replace(made, confirmed_per_second=0.0), THREADS))
    assert "our own load generator beside it could not confirm" in said
    assert "busy at times" not in said


def test_it_is_compared_with_those_that_differ_in_one_thing_where_both_came_farthest() -> None:
    said = sentences(tuned(), TWO)

    assert "2 rather than 1 worker: 2.00 times the rate answered in a closed loop." in said
    assert "acceleration auto rather than off: 4.00 times the rate answered in a closed loop." in said
    assert any(each.startswith("inline rather than threads (2): 1.25 (") for each in said)
    assert "inline rather than microbatch (at most 16 rows): 2.00 times the rate held (short)." in said
    assert any(each.startswith("2 rather than 3 workers: 0.92 times") for each in said)


def test_a_rate_that_was_found_and_not_held_again_is_not_promised() -> None:
    said = "\n".join(sentences(replace(tuned(), confirmed_per_second=0.0), TWO))

    assert "No rate near to those found was held with p99 within 25 ms, 5 windows in a row" in said
    assert "It holds" not in said


@pytest.mark.parametrize(("late", "told"), [(1, False), (2, True)])
def test_where_the_generator_was_late_first_the_server_may_hold_more(late: int, told: bool) -> None:
    made = tuned()
    for block, each in enumerate(made.finals):
        beyond = {"offered_per_second": 1_050.0, "passed": False, "void": ["late"] if block < late else []}
        far_beyond = {"offered_per_second": 2_000.0, "passed": False, "void": ["late"]}
        held = {"offered_per_second": 1_000.0, "passed": True, "void": ["late"]}
        each.scores[TWO].figures["probes"] = [far_beyond, held, beyond]

    assert any("the load generator itself was late" in each for each in sentences(made, TWO)) is told


def test_what_is_served_by_default_is_compared_too() -> None:
    said = sentences(tuned(), ONE)

    assert any(
        each.startswith(f"Against {ONE.name}, which is served where nothing is set: 2.00 times") for each in said
    )


@pytest.mark.parametrize(("share", "told"), [(0.1, False), (0.4, True)])
def test_what_other_programs_took_is_told_where_it_is_much(share: float, told: bool) -> None:
    made = tuned()
    for trial in made.trials:
        if trial.score and trial.score.closed:
            trial.score.figures["others_share"] = share

    said = "\n".join(sentences(made, TWO))

    assert (f"Other programs took {share:.0%} of this machine" in said) is told


def test_each_candidate_is_in_the_table_once_with_why_it_is_not_the_one() -> None:
    lines = as_table(tuned())[2:]

    assert len(lines) == len(CLOSED)
    assert lines[0].startswith(f"| {TWO.name} | 1,200 | 1,000 | 1,000 (990 to 1,010) | 200 MB | **chosen** |")
    assert [line.split(" | ")[0] for line in lines[1:3]] == [f"| {BATCHES.name}", f"| {THREADS.name}"]
    assert lines[1].endswith("| slower, or less plain |")
    assert any(LARGE.name in line and line.endswith("| takes 300 MB, over 250 MB |") for line in lines)


def test_a_saved_claim_is_rendered_from_its_json_with_what_holds_and_what_does_not() -> None:
    made = replace(tuned(), demand=Demand(rows=64))
    searched = [Trial("exhaustive", each, score(each, rate)) for each, rate in ((TWO, 1_000.0), (THREADS, 1_200.0))]
    searched.append(Trial("exhaustive", ONE, None, "answers at most 600/s, not half of 1,200/s"))
    ratio = paired_ratio([800.0, 790.0, 810.0], [1_000.0, 990.0, 1_000.0])
    against = Exhausted(THREADS, searched, made.finals, ratio)
    document = {
        "benchmark": "tune", "environment": ENVIRONMENT, "conditions": {"quick": False},
        "tunings": [{"model": "text", **recorded(made, against)}],
        "figures": [asdict(figure("text", made, against))],
    }  # fmt: skip

    text = render([json.loads(json.dumps(document, allow_nan=False))])

    assert ratio.value < LEAST
    assert "| text, 64 rows a request: 2 workers, inline" in text
    assert "| **no** |" in text
    assert "| **2 workers, inline, acceleration auto** | 1,200 | 1,000 | 200 MB |  |" in text
    assert "answers at most 600/s, not half of 1,200/s" in text
    assert "text, 64 rows a request: p99 within 25 ms of Poisson arrivals" in text
    listed = [line for line in text.splitlines() if " MB |" in line]
    assert [THREADS.name in listed[0], TWO.name in listed[1], ONE.name in listed[2]] == [True] * 3
    document["tunings"][0]["closed"] = True
    assert "p99 within 25 ms in a closed loop" in render([document])
    assert "| closed loop, requests/s | closed loop for longer, requests/s |" in render([document])


def test_of_many_candidates_the_fastest_are_shown_and_the_choice_wherever_it_stands() -> None:
    made = tuned()
    faster = {THREADS: 1_500.0, BATCHES: 1_400.0, SMALLER: 1_300.0, OFF: 1_200.0, ONE: 1_100.0, LARGE: 1_050.0}
    searched = [Trial("exhaustive", each, score(each, rate)) for each, rate in [*faster.items(), (TWO, 1_000.0)]]
    against = Exhausted(THREADS, searched, made.finals, paired_ratio([800.0, 790.0], [1_000.0, 990.0]))
    document = {
        "benchmark": "tune", "environment": ENVIRONMENT, "tunings": [{"model": "text", **recorded(made, against)}],
        "figures": [asdict(figure("text", made, against))],
    }  # fmt: skip

    text = render([document])

    assert "the fastest 5 of 7 candidates, and what was chosen, in bold" in text
    assert [f"| {each.name} |" in text for each in faster] == [True] * 5 + [False]
    assert f"| **{TWO.name}** | 1,200 | 1,000 |" in text
