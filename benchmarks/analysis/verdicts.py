"""What is said of servers, held against what was measured."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmarks.intervals import Interval

Verdict = Literal["upheld", "refuted", "not shown", "not measured"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One figure that a claim rests on; where `counts` is false it stands beside, and decides nothing."""

    what: str
    cells: tuple[str, ...]
    asked: str
    measured: Interval | None
    verdict: Verdict
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Claim:
    """`remark` says what a reader must know to read the evidence rightly."""

    said: str
    evidence: tuple[Evidence, ...]
    remark: str = ""

    @property
    def verdict(self) -> Verdict:
        """What is said in general is refuted by one case, and upheld by all that were measured."""
        verdicts = {each.verdict for each in self.evidence if each.counts} - {"not measured"}
        if not verdicts:
            return "not measured"
        if "refuted" in verdicts:
            return "refuted"
        return "upheld" if verdicts == {"upheld"} else "not shown"

    @property
    def tally(self) -> str:
        """The verdict, and of how many cases where they differ."""
        counted = [each.verdict for each in self.evidence if each.counts]
        if len(counted) < 2 or len(set(counted)) == 1:
            return self.verdict
        kinds: tuple[Verdict, ...] = ("upheld", "refuted", "not shown", "not measured")
        told = ", ".join(f"{counted.count(kind)} {kind}" for kind in kinds if kind in counted)
        return f"{self.verdict} ({told})"


Rule = Callable[[Interval], Verdict]


def judged(measured: Interval | None, rule: Rule) -> Verdict:
    """One block alone has no interval, and shows nothing."""
    if measured is None:
        return "not measured"
    return "not shown" if measured.low is None or measured.high is None else rule(measured)


def above(bound: float) -> Rule:
    """Upheld where the whole interval is above, refuted where it is below."""
    return lambda interval: decided(_low(interval) > bound, _high(interval) < bound)


def below(bound: float) -> Rule:
    return lambda interval: decided(_high(interval) < bound, _low(interval) > bound)


def at_least(bound: float) -> Rule:
    return lambda interval: decided(_low(interval) >= bound, _high(interval) < bound)


def at_most(bound: float) -> Rule:
    return lambda interval: decided(_high(interval) <= bound, _low(interval) > bound)


def between(least: float, most: float) -> Rule:
    """Upheld where the whole interval lies between, refuted where it lies beside."""

    def rule(interval: Interval) -> Verdict:
        low, high = _low(interval), _high(interval)
        return decided(least <= low and high <= most, high < least or low > most)

    return rule


def decided(upheld: bool, refuted: bool) -> Verdict:
    if upheld:
        return "upheld"
    return "refuted" if refuted else "not shown"


def _low(interval: Interval) -> float:
    assert interval.low is not None
    return interval.low


def _high(interval: Interval) -> float:
    assert interval.high is not None
    return interval.high
