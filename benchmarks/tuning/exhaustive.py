"""How far a choice is from the best of all: every candidate is searched as long as the last ones were."""

from dataclasses import dataclass, replace

from benchmarks.failures import NothingFits
from benchmarks.intervals import Ratio, paired_ratio
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.choosing import Block, faults
from benchmarks.tuning.halving import Score, Trial, too_much
from benchmarks.tuning.tuning import Tuned, Tuning

# A candidate of whose closed loop so many times is less than what the choice holds is not searched: it cannot.
OUT_OF_REACH = 2
STAGE = "exhaustive"


@dataclass(frozen=True, slots=True)
class Exhausted:
    """
    `best` is the fastest of all `trials`; `ratio` is of the choice's rate to its, in `finals`, blocks of their own.

    Where the choice itself is the best there are no such blocks, and the ratio is 1.
    """

    best: Candidate
    trials: list[Trial]
    finals: list[Block]
    ratio: Ratio


def exhausted(tuning: Tuning, tuned: Tuned) -> Exhausted:
    """Raises RunFailed."""
    choice, last = tuned.choice.candidate, tuning.last_rung.name
    first = [each for each in tuned.trials if each.rung == tuned.trials[0].rung]
    known = {each.candidate: each for each in tuned.trials if each.rung == last and each.score}
    reach = max(each.score.rate for each in known.values() if each.score)
    trials = [known.get(each.candidate) or searched(tuning, each, reach) for each in first]
    scores = {each.candidate: each.score for each in trials if each.score and not each.out}
    best = max(scores, key=lambda each: scores[each].rate)
    if best == choice:
        return Exhausted(best, trials, [], Ratio(1.0, 1.0, 1.0))
    pair = (choice, best)
    finals = tuning.compared({each: scores[each] for each in pair})
    for each in pair:
        if fault := faults([block.scores[each] for block in finals], tuned.demand.memory_bytes):
            raise NothingFits(f"compared with the best of all, {each.name}: {fault}")
    mine, others = ([block.scores[each].rate for block in finals] for each in pair)
    return Exhausted(best, trials, finals, paired_ratio(mine, others))


def searched(tuning: Tuning, first: Trial, reach: float) -> Trial:
    """As in the last rung, but for a candidate that is over a limit, or far out of reach."""
    assert first.score is not None
    out = first.out
    if not out and first.score.rate * OUT_OF_REACH < reach:
        out = f"answers at most {first.score.rate:,.0f}/s, not half of {reach:,.0f}/s"
    if out:
        return Trial(STAGE, first.candidate, None, out)
    score: Score = tuning.measure(first.candidate, replace(tuning.last_rung, name=STAGE), first.score, tuning.seed)
    return Trial(STAGE, first.candidate, score, too_much(score, tuning.memory_bytes) or score.missed)
