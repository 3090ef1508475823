"""How far a choice is from the best of all: every candidate is searched as long as the last ones were."""

from dataclasses import dataclass, replace
from statistics import median

from benchmarks.failures import NothingFits
from benchmarks.intervals import Ratio, paired_ratio
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.choosing import Block, faults
from benchmarks.tuning.halving import Score, Trial, too_much
from benchmarks.tuning.tuning import Tuned, Tuning

# A candidate of whose closed loop so many times is less than what the choice holds is not searched: no schedule brings
# so much larger batches.
OUT_OF_REACH = 3
# Of all others the best are compared with the choice: one measurement alone may flatter one of them.
RIVALS = 3
STAGE = "exhaustive"


@dataclass(frozen=True, slots=True)
class Exhausted:
    """
    `best` is the fastest of the choice's rivals in `finals`, blocks of their own; `ratio` is of the choice's rate to
    its.
    """

    best: Candidate
    trials: list[Trial]
    finals: list[Block]
    ratio: Ratio


def exhausted(tuning: Tuning, tuned: Tuned) -> Exhausted:
    """Raises RunFailed."""
    choice = tuned.choice.candidate
    first = [each for each in tuned.trials if each.rung == tuned.trials[0].rung]
    reach = tuned.choice.rate(choice).value
    trials = [searched(tuning, each, reach) for each in first]
    scores = {each.candidate: each.score for each in trials if each.score and not each.out}
    if choice not in scores:
        raise NothingFits(f"searched again, the choice, {choice.name}, does not keep the limits")
    others = sorted((each for each in scores if each != choice), key=lambda each: -scores[each].rate)
    if not others:
        raise NothingFits(f"there is nothing to compare {choice.name} with")
    finals = tuning.compared({each: scores[each] for each in (choice, *others[:RIVALS])}, seed=tuning.seed + 1)
    rates = {each: [block.scores[each].rate for block in finals] for each in finals[0].scores}
    failed = {
        each: fault
        for each in rates
        if (fault := faults([block.scores[each] for block in finals], tuned.demand.memory_bytes))
    }
    if choice in failed:
        raise NothingFits(f"compared with the best of all, {choice.name}: {failed[choice]}")
    rivals = [each for each in rates if each != choice and each not in failed]
    if not rivals:
        raise NothingFits(f"of the best beside {choice.name} none keeps the limits again")
    best = max(rivals, key=lambda each: median(rates[each]))
    return Exhausted(best, trials, finals, paired_ratio(rates[choice], rates[best]))


def searched(tuning: Tuning, first: Trial, reach: float) -> Trial:
    """As in the last rung, but for a candidate that is over a limit, or far out of reach."""
    assert first.score is not None
    out = first.out
    if not out and first.score.rate * OUT_OF_REACH < reach:
        out = f"answers {first.score.rate:,.0f}/s in a closed loop, not a third of {reach:,.0f}/s"
    if out:
        return Trial(STAGE, first.candidate, None, out)
    score: Score = tuning.measure(first.candidate, replace(tuning.last_rung, name=STAGE), first.score, tuning.seed)
    return Trial(STAGE, first.candidate, score, too_much(score, tuning.memory_bytes) or score.missed)
