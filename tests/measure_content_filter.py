"""The measurement of the content filter on the two sets of texts, printed by python -m tests.measure_content_filter."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from timeit import repeat

from app import content_filter
from app.content_filter import BlockedTerms, ContentFilter, read_terms
from app.errors import ContentRejected

DATA = Path(__file__).parent / "data"
DEFAULT_TERMS = Path(content_filter.__file__).parent / "blocked_terms.txt"
_ESCAPE = re.compile(r"\\(?:n|u([0-9a-f]{4})|U([0-9a-f]{8}))")


@dataclass(frozen=True)
class Measurement:
    """What a filter did on texts that it should accept and on texts that it should refuse."""

    false_positives: tuple[str, ...]
    missed: tuple[str, ...]
    precision: float
    recall: float


def read_texts(path: Path) -> list[str]:
    """Return the texts of a file, one a line, with its escapes replaced."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [_ESCAPE.sub(_character, line) for line in lines if line and not line.startswith("# ")]


def _character(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    return chr(int(code, 16)) if code else "\n"


def refuses(content_filter: ContentFilter, text: str) -> bool:
    """Tell whether a filter refuses a text."""
    try:
        content_filter.check([text])
    except ContentRejected:
        return True
    return False


def measure(content_filter: ContentFilter, innocent: Sequence[str], evasions: Sequence[str]) -> Measurement:
    """Return what a filter gets wrong on texts that are innocent and on texts that are not."""
    false_positives = tuple(text for text in innocent if refuses(content_filter, text))
    missed = tuple(text for text in evasions if not refuses(content_filter, text))
    hits = len(evasions) - len(missed)
    refused = hits + len(false_positives)
    return Measurement(false_positives, missed, hits / refused if refused else 1.0, hits / len(evasions))


def microseconds(content_filter: ContentFilter, text: str, runs: int) -> float:
    """Return the least time of five that a filter takes on a text."""
    return min(repeat(lambda: refuses(content_filter, text), number=runs, repeat=5)) / runs * 1e6


def main() -> None:
    """Print the measurement of the default terms."""
    default = BlockedTerms(read_terms(DEFAULT_TERMS))
    innocent, evasions = read_texts(DATA / "innocent.txt"), read_texts(DATA / "evasions.txt")
    result = measure(default, innocent, evasions)
    print(f"false positives  {len(result.false_positives)} of {len(innocent)}")
    print(f"precision        {result.precision:.3f}")
    print(f"recall           {result.recall:.3f}  ({len(result.missed)} of {len(evasions)} missed)")
    sentence = "Write a short poem about the rain on a tin roof in the hills"
    print(f"60 characters    {microseconds(default, sentence, 1000):.1f} us")
    print(f"10,000 characters {microseconds(default, (sentence + ' ') * 164, 10):.0f} us")
    for text in result.false_positives:
        print(f"refused  {text!r}")
    for text in result.missed:
        print(f"missed   {text!r}")


if __name__ == "__main__":
    main()
