"""The content filter, which refuses texts that hold a blocked term as a whole word, plain or disguised."""

import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from app.disguised_terms import DisguisedTerms
from app.errors import ContentRejected
from app.text_folding import fold

# A table that knows every ASCII character takes half the time: a look-up that finds nothing costs an exception.
_SPACE_FOR_PUNCTUATION = {code: 32 if chr(code) in string.punctuation else code for code in range(128)}


class ContentFilter(Protocol):
    """What screens texts before the models see them."""

    def check(self, texts: Sequence[str], first: int = 0) -> None:
        """Raise ContentRejected for the first text that is refused; `first` is the index of the first of these."""


class NoContentFilter:
    """The filter that refuses nothing."""

    def check(self, texts: Sequence[str], first: int = 0) -> None:
        """Accept every text."""


class BlockedTerms:
    """The filter that refuses texts with one of the given terms."""

    def __init__(self, terms: Iterable[str]) -> None:
        self._terms = frozenset(map(fold, terms))
        self._disguised = DisguisedTerms(self._terms)

    def check(self, texts: Sequence[str], first: int = 0) -> None:
        """Raise ContentRejected for the first text with a blocked term."""
        for index, text in enumerate(texts, first):
            if self._refuses(text):
                raise ContentRejected(index)

    def _refuses(self, text: str) -> bool:
        folded = fold(text)
        words = folded.translate(_SPACE_FOR_PUNCTUATION).split()
        return not self._terms.isdisjoint(words) or self._disguised.are_in(folded, words)


def read_terms(path: Path) -> frozenset[str]:
    """Return the terms of a file with one a line; blank lines and those that start with # hold none."""
    terms = set()
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        term = line.strip()
        if not term or term.startswith("#"):
            continue
        # The messages name no term, since they end in logs.
        if len(term.split()) > 1:
            raise ValueError(f"line {number} has white space inside a term")
        if not any(map(str.isalpha, term)):
            raise ValueError(f"line {number} has a term without a letter")
        terms.add(term)
    return frozenset(terms)
