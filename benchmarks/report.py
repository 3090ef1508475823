"""Puts the tables of saved runs into README.md, between `<!-- results: NAME -->` and `<!-- end -->`."""

import argparse
import re
import sys
from pathlib import Path

from app.settings import ROOT
from benchmarks import result_file, tables
from benchmarks.comparable import NotComparable
from benchmarks.reporting import bench_table
from benchmarks.series import newest

# NAME is one result or several, by the rule of `result_file.read`; several are combined into one table.
OPENING = r"<!-- results: (?P<names>[\w.-]+(?: [\w.-]+)*) -->\n"
# A benchmark whose runs are files in a folder.
SERIES = ("bench",)
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
        series = newest(names, folder)
        runs = [series.head]
    else:
        runs = [result_file.read(name, folder) for name in names.split()]
    if any(run.get("conditions", {}).get("quick") for run in runs):
        raise NotComparable("a quick run only shows that the benchmark runs")
    return bench_table.render(series) if names in SERIES else tables.render(runs)


def publish(document: result_file.Document, file: Path) -> None:
    """Save a new result and show its table; what has no table is not saved."""
    table = tables.render([document])
    result_file.write(document, file)
    print(table)
    print(f"\nsaved: {file}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if something would change")
    parser.add_argument("--file", type=Path, default=ROOT / "README.md", help="default: README.md")
    options = parser.parse_args()
    try:
        text = options.file.read_text()
        wanted = rendered(text, result_file.RESULTS)
    except (NotRendered, NotComparable, FileNotFoundError) as error:
        print(f"not rendered: {error}", file=sys.stderr)
        return 1
    if options.check and wanted != text:
        print(f"{options.file.name} is not what the results say; run python -m benchmarks.report", file=sys.stderr)
        return 1
    if wanted != text:
        options.file.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
