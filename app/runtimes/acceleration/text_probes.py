"""Texts on which an error in reading, counting or weighing terms would show."""

from collections.abc import Mapping
from itertools import islice

SAMPLED_TERMS = 32
# More terms than one_score takes, and few enough for the slow vectorizers of characters.
LONGEST = 4_000
MADE_TERMS = (
    "good", "bad", "warm", "funny", "dull", "film", "moving", "story", "great", "time", "acting", "plot", "slow",
    "and", "the", "not", "very", "too", "with", "from", "without", "joyless", "charming", "tender", "empty", "loud",
)  # fmt: skip
# Of other scripts, letters that change with their case or lose an accent, blanks and what is no word at all.
STRANGE_TEXTS = (
    " ", "\t\r\n", "\x00", "\x1c\x1d", "\u00a0", "\u200b", "\ufeff", "a", "Z", "7", "_", "!", "é", "ß", "字", "🎬",
    "zqxjv", "zqxjv wvkq", "a b c", "_ __ ___", "0123456789 3.14 1e9", "it's don't o'clock", "x-y_z/w", "?!... ---",
    "\uff26\uff35\uff2c\uff2c \uff57\uff49\uff44\uff45", "\u0130stanbul \u0131\u0131", "Kelvin \u212a \u212b",
    "\u017ftraße \ufb01lm", "e\u0301te\u0301 naïve café", "привет мир", "これは 映画 です", "हिन्दी फ़िल्म", "فيلم جيد",
    "한국어 영화", "१२३ ٤٥٦ ²³ ½", "a\u0301 b\u0308c", "family \U0001f469\u200d\U0001f467",
)  # fmt: skip
BETWEEN = (" ", "  ", ", ", "\n", "-", "'", ". ", "_", "\u00a0", " zqxjv ", " a ", " é ", "\x00", "/", "…")


def text_probes(vocabulary: Mapping[str, int] | None) -> list[str]:
    """
    The same texts for the same vocabulary; None, where a vectorizer has none, stands for any words.

    Terms from all over it alone, repeated, changed and beside each other, and texts that hold none of them.
    """
    terms = _sampled(vocabulary) if vocabulary else list(MADE_TERMS)
    following = [*terms[1:], terms[0]]
    changed = [
        (str.upper, str.title, str.swapcase, lambda term: f"{term}é", lambda term: f"({term})3")[index % 5](term)
        for index, term in enumerate(terms)
    ]
    joined = [
        BETWEEN[index % len(BETWEEN)].join([one, other, one])
        for index, (one, other) in enumerate(zip(terms, following, strict=True))
    ]
    together = [" ".join(terms[start : start + 8]) for start in range(0, len(terms), 8)]
    long = " ".join(terms) + " "
    longest = (long * (LONGEST // len(long) + 1))[:LONGEST]
    texts = [*terms, *changed, *joined, *together, *STRANGE_TEXTS, long, f"{long}é {long}", longest]
    return [text[:LONGEST] for text in texts if text]


def _sampled(vocabulary: Mapping[str, int]) -> list[str]:
    step = max(1, len(vocabulary) // SAMPLED_TERMS)
    return list(islice(vocabulary, 0, None, step))[:SAMPLED_TERMS]
