"""A tuning as it is saved: all that was measured, and what followed from it."""

from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.markdown import Row
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.choosing import Block
from benchmarks.tuning.exhaustive import Exhausted
from benchmarks.tuning.halving import Score, Trial
from benchmarks.tuning.tuning import Tuned


def recorded(tuned: Tuned, exhausted: Exhausted | None = None) -> Row:
    choice = tuned.choice
    row = {
        "demand": asdict(tuned.demand),
        "objective_seconds": tuned.objective_seconds,
        "idle_p50_seconds": tuned.idle_p50_seconds,
        "acceleration": tuned.acceleration,
        "trials": trials(tuned.trials),
        "finals": blocks(tuned.finals),
        "choice": named(choice.candidate),
        "fastest": named(choice.best),
        "settings": choice.candidate.settings,
        "requests_per_second": asdict(choice.rate(choice.candidate)),
        "closed": tuned.closed,
        "generator_share": tuned.generator_share,
        "confirmed_per_second": tuned.confirmed_per_second,
        "confirmations": tuned.confirmations,
        "pss_bytes": choice.pss_bytes[choice.candidate],
    }
    if exhausted is None:
        return row
    return {**row, "exhaustive": {
        "best": named(exhausted.best),
        "trials": trials(exhausted.trials),
        "finals": blocks(exhausted.finals),
        "ratio": asdict(exhausted.ratio),
    }}  # fmt: skip


def named(candidate: Candidate) -> Row:
    return {"name": candidate.name, **asdict(candidate)}


def trials(made: Sequence[Trial]) -> list[Row]:
    return [
        {"rung": each.rung, "candidate": each.candidate.name, "out": each.out, **scored(each.score)} for each in made
    ]


def blocks(made: Sequence[Block]) -> list[list[Row]]:
    return [[{"candidate": each.name, **scored(score)} for each, score in block.scores.items()] for block in made]


def scored(score: Score | None) -> Row:
    return {"score": None if score is None else asdict(score)}
