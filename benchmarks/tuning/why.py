"""The choice in words, and what became of each candidate in a table."""

from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.intervals import Interval
from benchmarks.markdown import ratio_text, table
from benchmarks.saturation import CONFIRMATIONS
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.choosing import MOST_BEHIND
from benchmarks.tuning.halving import MEGABYTE, Trial
from benchmarks.tuning.tuning import Tuned

# The kernel, and what Python does beside, take some of it on a quiet machine.
MOST_OTHERS = 0.15


def sentences(tuned: Tuned, default: Candidate) -> list[str]:
    choice = tuned.choice
    said = [
        f"Chosen: {choice.candidate.name}.",
        confirmed(tuned),
        f"{chosen_by(tuned)}: {rates(choice.rate(choice.candidate))} requests/s, the median of {len(tuned.finals)} "
        f"fresh servers (95 % interval).",
    ]
    if choice.candidate != choice.best:
        said.append(
            f"{choice.best.name} does no more that could be shown, or at most {MOST_BEHIND:.0%}: the choice's rate to "
            f"its is {ratio_text(choice.ratio(choice.best))}, and the choice is the plainer one."
        )
    elif choice.runner_up is not None:
        said.append(
            f"Next best: {choice.runner_up.name}; the choice's rate to its is "
            f"{ratio_text(choice.ratio(choice.runner_up))}."
        )
    if default != choice.candidate and (against := comparison(tuned, default)):
        said.append(f"Against {default.name}, which is served where nothing is set: {against}.")
    return [*said, *neighbours(tuned), *disturbance(tuned), *generator_limit(tuned)]


def confirmed(tuned: Tuned) -> str:
    objective = f"p99 within {tuned.objective_seconds * 1e3:,.0f} ms, {CONFIRMATIONS} windows in a row"
    if not tuned.confirmed_per_second and tuned.closed:
        return f"What it holds by schedule, with {objective}, our own load generator beside it could not confirm."
    if not tuned.confirmed_per_second:
        return f"No rate near to those found was held with {objective}: this machine is busy at times, plan with less."
    held = "Beside our own load generator it holds at least" if tuned.closed else "It holds"
    return (
        f"{held} {tuned.confirmed_per_second:,.0f} requests/s of Poisson arrivals with {objective}, in "
        f"{megabytes(tuned.choice.pss_bytes[tuned.choice.candidate])}."
    )


def chosen_by(tuned: Tuned) -> str:
    if not tuned.closed:
        return "The highest rates found, by which it was chosen"
    return (
        f"Our own load generator would take {tuned.generator_share:.0%} of the cores to send by schedule what the "
        f"fastest answers, so that it was chosen by a closed loop of at most {tuned.demand.connections} connections a "
        f"worker"
    )


def disturbance(tuned: Tuned) -> list[str]:
    """Where other programs took so much of the machine that the choice may be theirs."""
    first = [each.score.figures.get("others_share", 0.0) for each in tuned.trials if each.score and each.score.closed]
    others = median(first)
    if others <= MOST_OTHERS:
        return []
    return [f"Other programs took {others:.0%} of this machine: choose again while it is quiet."]


def generator_limit(tuned: Tuned) -> list[str]:
    """Where it was the load generator that failed first, mostly: then the server may hold more."""
    probes = [block.scores[tuned.choice.candidate].figures.get("probes", []) for block in tuned.finals]
    failed = [[each for each in some if not each["passed"]] for some in probes]
    first = [min(some, key=lambda each: float(each["offered_per_second"])) for some in failed if some]
    if 2 * sum(bool(each["void"]) for each in first) <= len(probes):
        return []
    return ["Beyond these rates the load generator itself was late: the server may hold more, and others as much."]


def neighbours(tuned: Tuned) -> list[str]:
    """Against those that differ from the choice in one thing."""
    choice = tuned.choice.candidate
    said = []
    for other in sorted({each.candidate for each in tuned.trials} - {choice}, key=lambda each: each.plainness):
        differences = list(differing(choice, other))
        if len(differences) == 1 and (against := comparison(tuned, other)):
            said.append(f"{differences[0]}: {against}.")
    return said


def differing(one: Candidate, other: Candidate) -> Iterator[str]:
    if one.workers != other.workers:
        yield f"{one.workers} rather than {other.workers} worker{'s' * (other.workers > 1)}"
    if one.mode != other.mode:
        yield f"{one.mode} rather than {other.mode}"
    if one.acceleration != other.acceleration:
        yield f"acceleration {one.acceleration} rather than {other.acceleration}"


def comparison(tuned: Tuned, other: Candidate) -> str:
    """The choice's rate to another's, where both came farthest; empty where they were never measured alike."""
    choice = tuned.choice
    if other in choice.rates:
        return f"{ratio_text(choice.ratio(other))}, {'in a closed loop' if tuned.closed else 'rates held'}"
    for rung in reversed(list(dict.fromkeys(each.rung for each in tuned.trials))):
        scores = [scored(tuned.trials, rung, each) for each in (choice.candidate, other)]
        mine, others = scores
        if mine and others and mine.score and others.score and others.score.rate:
            held = "answered in a closed loop" if mine.score.closed else f"held ({rung})"
            return f"{mine.score.rate / others.score.rate:.2f} times the rate {held}"
    return ""


def scored(trials: Sequence[Trial], rung: str, candidate: Candidate) -> Trial | None:
    found = [each for each in trials if (each.rung, each.candidate) == (rung, candidate) and each.score]
    return found[0] if found else None


def as_table(tuned: Tuned) -> list[str]:
    """A line a candidate, those that came farthest first."""
    rungs = list(dict.fromkeys(each.rung for each in tuned.trials))
    head = ["candidate", *(f"{rung}, requests/s" for rung in rungs), "last, requests/s", "memory", "why not"]
    every = {each.candidate for each in tuned.trials}
    return table(head, [line(tuned, rungs, each) for each in sorted(every, key=lambda each: standing(tuned, each))])


def line(tuned: Tuned, rungs: Sequence[str], candidate: Candidate) -> list[str]:
    mine = [each for each in tuned.trials if each.candidate == candidate]
    last = tuned.choice.rates.get(candidate)
    found = [scored(tuned.trials, rung, candidate) for rung in rungs]
    measured = [f"{each.score.rate:,.0f}" if each and each.score else "" for each in found]
    memory = max(each.score.pss_bytes for each in mine if each.score)
    final = rates(tuned.choice.rate(candidate)) if last else ""
    return [candidate.name, *measured, final, megabytes(memory), why_not(tuned, candidate, mine)]


def why_not(tuned: Tuned, candidate: Candidate, mine: Sequence[Trial]) -> str:
    choice = tuned.choice
    if candidate == choice.candidate:
        return "**chosen**"
    if candidate in choice.rates:
        # The fastest one is passed over for a plainer one alone.
        return "less plain" if candidate == choice.best else "slower, or less plain"
    return choice.out.get(candidate) or mine[-1].out or "not among the last"


def standing(tuned: Tuned, candidate: Candidate) -> tuple[float, ...]:
    """The less, the farther it came; of those that came as far, the faster."""
    if candidate in tuned.choice.rates:
        return (candidate != tuned.choice.candidate, 0, -median(tuned.choice.rates[candidate]))
    mine = [each for each in tuned.trials if each.candidate == candidate and each.score]
    return (2, -len(mine), -mine[-1].score.rate if mine[-1].score else 0)


def rates(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return f"{interval.value:,.0f}"
    return f"{interval.value:,.0f} ({interval.low:,.0f} to {interval.high:,.0f})"


def megabytes(count: int) -> str:
    return f"{count / MEGABYTE:,.0f} MB"
