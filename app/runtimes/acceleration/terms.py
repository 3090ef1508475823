"""The terms of a text, as scikit-learn's vectorizers read them."""

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

DEFAULT_PATTERN = r"(?u)\b\w\w+\b"
WORD_CHARACTERS = string.ascii_letters + string.digits + "_"


@dataclass(frozen=True, slots=True)
class Terms:
    """
    `words` of a text, and the `joined` terms of such words, one for each time that it occurs.

    With `words_are_terms` no term can be there twice in a text whose words are all different, and only words can where
    no more than one of them is there again.
    """

    words: Callable[[str], list[str]]
    joined: Callable[[list[str]], list[str]]
    words_are_terms: bool

    def __call__(self, text: str) -> list[str]:
        return self.joined(self.words(text))


def terms_of(vectorizer: Any) -> Terms | None:
    """What the vectorizer reads; None where a function of its user takes part, or its type is not known here."""
    if not _known(vectorizer):
        return None
    if vectorizer.analyzer != "word":
        return Terms(vectorizer.build_analyzer(), _as_they_are, words_are_terms=True)
    least, most = vectorizer.ngram_range
    # Words of another pattern may hold blanks, so that other words make the same term.
    plain = most == 1 or vectorizer.token_pattern == DEFAULT_PATTERN
    return Terms(_words(vectorizer), _joined(least, most), words_are_terms=least == 1 and plain)


def _known(vectorizer: Any) -> bool:
    if type(vectorizer) not in (CountVectorizer, TfidfVectorizer, HashingVectorizer):
        return False
    # Counts are whole numbers whichever of the two holds them.
    numbers = (np.int64, np.float64) if type(vectorizer) is CountVectorizer else (np.float64,)
    return (
        vectorizer.input == "content"
        and vectorizer.analyzer in ("word", "char", "char_wb")
        and vectorizer.preprocessor is None
        and vectorizer.tokenizer is None
        and vectorizer.strip_accents in (None, "ascii", "unicode")
        and np.dtype(vectorizer.dtype) in numbers
        and [type(size) for size in vectorizer.ngram_range] == [int, int]
        and 1 <= vectorizer.ngram_range[0] <= vectorizer.ngram_range[1]
    )


def _words(vectorizer: Any) -> Callable[[str], list[str]]:
    """Without the stop words."""
    preprocess, stop_words = vectorizer.build_preprocessor(), frozenset(vectorizer.get_stop_words() or ())
    default = vectorizer.token_pattern == DEFAULT_PATTERN
    # A greedy match ends and begins at the boundaries that the default pattern asks for once more.
    find = re.compile(r"\w\w+").findall if default else vectorizer.build_tokenizer()

    def found(text: str) -> list[str]:
        words: list[str] = find(preprocess(text))
        return words if stop_words.isdisjoint(words) else [word for word in words if word not in stop_words]

    return _split_if_ascii(found, stop_words, bool(vectorizer.lowercase)) if default else found


def _split_if_ascii(
    otherwise: Callable[[str], list[str]], stop_words: frozenset[str], lowercase: bool
) -> Callable[[str], list[str]]:
    """
    The words of the default pattern, in less than half of its time.

    A table makes all that is not of a word a blank; the pattern takes no word of one character.
    """
    table = bytearray(b" " * 256)
    for character in WORD_CHARACTERS:
        table[ord(character)] = ord(character.lower() if lowercase else character)
    letters, ignored = bytes(table), stop_words.union(WORD_CHARACTERS)

    def split(text: str) -> list[str]:
        if not text.isascii():
            return otherwise(text)
        words = text.encode().translate(letters).decode().split()
        return words if ignored.isdisjoint(words) else [word for word in words if word not in ignored]

    return split


def _joined(least: int, most: int) -> Callable[[list[str]], list[str]]:
    if most == 1:
        return _as_they_are
    join, pairs, longer = " ".join, least <= 2, range(max(least, 3), most + 1)

    def joined(words: list[str]) -> list[str]:
        terms = words.copy() if least == 1 else []
        if pairs:
            # zip takes longer where it is told that lengths may differ, and pairwise takes longer than both.
            terms += map(join, zip(words, words[1:]))  # noqa: B905, RUF007
        for size in longer:
            terms += map(join, zip(*(words[start:] for start in range(size)), strict=False))
        return terms

    return joined


def _as_they_are(words: list[str]) -> list[str]:
    return words
