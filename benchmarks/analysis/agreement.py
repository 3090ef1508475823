"""Whether `make bench` says the same twice: on how many of its ratios the intervals of two series overlap."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.analysis.cells import Cells
from benchmarks.analysis.headline import Headline, headlines
from benchmarks.comparable import NotComparable, check_comparable
from benchmarks.intervals import Ratio
from benchmarks.markdown import ratio_text, table
from benchmarks.series import Series

# An interval of 95 % misses once in twenty; two series agree where nine ratios of ten do.
LEAST_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Agreement:
    """`overlap` is None where a series has no interval."""

    first: Headline
    second: Headline
    overlap: bool | None


def agree(series_a: Series, series_b: Series) -> list[Agreement]:
    """One for each of the ten ratios; raises NotComparable."""
    check_comparable([series_a.head, series_b.head])
    pairs = zip(headlines(Cells(series_a)), headlines(Cells(series_b)), strict=True)
    return [Agreement(one, other, overlap(one.ratio, other.ratio)) for one, other in pairs]


def overlap(one: Ratio | None, other: Ratio | None) -> bool | None:
    if one is None or other is None or one.low is None or other.low is None:
        return None
    return one.overlaps(other)


def render(agreements: list[Agreement]) -> str:
    said = {True: "overlap", False: "**apart**", None: "not measured in both"}
    rows = [
        [each.first.what, text(each.first.ratio), text(each.second.ratio), said[each.overlap]] for each in agreements
    ]
    count = sum(each.overlap is True for each in agreements)
    lines = table(["ratio", "first series", "second series", "intervals"], rows)
    return "\n".join([*lines, "", f"The intervals overlap on {count} of {len(agreements)} ratios."])


def enough(agreements: list[Agreement]) -> bool:
    return sum(each.overlap is True for each in agreements) >= LEAST_SHARE * len(agreements)


def text(ratio: Ratio | None) -> str:
    return "not measured" if ratio is None else ratio_text(ratio)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analysis.agreement", description=__doc__)
    parser.add_argument("series", type=Path, nargs=2, help="folders of two series of `make bench`")
    options = parser.parse_args()
    try:
        agreements = agree(*map(Series, options.series))
    except (FileNotFoundError, NotComparable) as error:
        print(f"not compared: {error}", file=sys.stderr)
        return 1
    print(render(agreements))
    return 0 if enough(agreements) else 1


if __name__ == "__main__":
    sys.exit(main())
