"""Puts the tables of saved runs into README.md and PEERS.md, between `<!-- results: NAME -->` and `<!-- end -->`."""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from app.settings import ROOT
from benchmarks import result_file, tables
from benchmarks.comparable import NotComparable
from benchmarks.reporting import bench_table, peers_in_full, peers_table, protocol_table
from benchmarks.series import Series, newest
from benchmarks.surroundings import table as surroundings_table

# NAME is one result or several, by the rule of `result_file.read`; several are combined into one table.
OPENING = r"<!-- results: (?P<names>[\w.-]+(?: [\w.-]+)*) -->\n"
# Of benchmarks whose runs are files in a folder: which one, and what of it is shown.
SERIES: dict[str, tuple[str, Callable[[Series], str]]] = {
    "bench": ("bench", bench_table.render),
    "peers": ("peers", peers_table.render),
    "peers-in-full": ("peers", peers_in_full.render),
    "protocol": ("protocol", protocol_table.render),
    "protocol-in-full": ("protocol", protocol_table.in_full),
}
# What their tables are before there is a result.
NOT_YET: dict[str, str] = {each.BENCHMARK: each.NOT_YET for each in (peers_table, protocol_table, surroundings_table)}
FILES = (ROOT / "README.md", ROOT / "benchmarks/PEERS.md")
MARKED = re.compile(rf"(?P<opening>{OPENING}).*?(?P<end><!-- end -->)", re.DOTALL)


class NotRendered(Exception):
    """The text has no place for a result, or one that is not closed."""


def rendered(text: str, folder: Path) -> str:
    """The text with each table made anew; raises NotRendered, NotComparable or FileNotFoundError."""
    sections = list(MARKED.finditer(text))
    if not sections or len(sections) != len(re.findall(r"<!-- results:", text)):
        raise NotRendered("each `<!-- results: NAME -->`, of which there must be one, needs its `<!-- end -->`")

    return MARKED.sub(lambda found: f"{found['opening']}{section(found['names'], folder)}\n{found['end']}", text)


def section(names: str, folder: Path) -> str:
    """A table of the results, or of the newest series, of that name."""
    if names in SERIES:
        benchmark, render = SERIES[names]
        try:
            series = newest(benchmark, folder)
        except FileNotFoundError:
            if benchmark not in NOT_YET:
                raise
            return NOT_YET[benchmark]
        check_no_trial([series.head])
        return render(series)
    try:
        runs = [result_file.read(name, folder) for name in names.split()]
    except FileNotFoundError:
        if names not in NOT_YET:
            raise
        return NOT_YET[names]
    check_no_trial(runs)
    return tables.render(runs)


def check_no_trial(runs: Sequence[result_file.Document]) -> None:
    """Raises NotComparable."""
    if any(run.get("conditions", {}).get("quick") for run in runs):
        raise NotComparable("a quick run only shows that the benchmark runs")


def publish(document: result_file.Document, file: Path) -> None:
    """Save a new result and show its table; what has no table is not saved."""
    table = tables.render([document])
    result_file.write(document, file)
    print(table)
    print(f"\nsaved: {file}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if something would change")
    parser.add_argument(
        "--file", type=Path, nargs="+", default=FILES, help="default: README.md and benchmarks/PEERS.md"
    )
    options = parser.parse_args()
    # Each is brought up to date, or looked at, whatever is wrong with another.
    return max([update(file, check=options.check) for file in options.file])


def update(file: Path, *, check: bool) -> int:
    """The exit status."""
    try:
        text = file.read_text()
        wanted = rendered(text, result_file.RESULTS)
    except (NotRendered, NotComparable, FileNotFoundError) as error:
        print(f"not rendered: {error}", file=sys.stderr)
        return 1
    if check and wanted != text:
        print(f"{file.name} is not what the results say; run python -m benchmarks.report", file=sys.stderr)
        return 1
    if wanted != text:
        file.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
