"""The search of a folded text for blocked terms that are spelled with other characters, split or stretched."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

_SYMBOLS = "@$!|"
_GLUE = "*#.~'-_"
# "+" is neither a letter nor a separator here, and a leading "$" no letter: sums and shell variables are no words.
_LETTERS = str.maketrans("0345789@$", "oeastbgas")
# 1, ! and | stand for i as well as for l, so in words that have them these two are one letter.
_LETTERS_I_FOR_L = str.maketrans("0345789@$1!|l", "oeastbgasiiii")
_BREAKS = str.maketrans(dict.fromkeys('"%&()+,/:;<=>?[\\]^`{}', " "))
_SPACE_FOR_GLUE = str.maketrans(dict.fromkeys(_GLUE, " "))
_WITHOUT_GLUE = str.maketrans("", "", _GLUE)
_HEAD = "@!|"
_TAIL = "0123456789" + _SYMBOLS
_BEFORE = ("i", "a", "we")
_AFTER = ("u", "a", "you", "him", "her", "them")

# Each expression is one class, or one character and what refers back to it, so none can backtrack.
_SUSPECT = re.compile(r"[0-9*#@$!|]")
_STRETCH = re.compile(r"(.)\1(?:\1|(?<=[aiu]))")
_SPACED = re.compile(r"([\w@$!+]+)")
_REPEATED = re.compile(r"(.)(?=\1)")
_RUN = re.compile(r"(.)\1*")
_I_OR_L = re.compile(r"[1!|]")
_VOWEL = re.compile(r"[aeiou]")


class DisguisedTerms:
    """The blocked terms, indexed by what is left of them in a disguise."""

    def __init__(self, terms: Iterable[str]) -> None:
        self._terms = frozenset(term.translate(_WITHOUT_GLUE) for term in terms) - {""}
        self._masks = frozenset(mask for term in self._terms for mask in _masks(term))
        self._stretched = _Spellings(self._terms, _LETTERS)
        self._stretched_i_for_l = _Spellings(self._terms, _LETTERS_I_FOR_L)

    def are_in(self, text: str, words: Sequence[str]) -> bool:
        """Tell whether one of the terms is in a folded text, of which the words are given."""
        spaced = list(map(len, words)).count(1) > 2
        divided = len(words) != len(text.split())
        if not spaced and not divided and not _SUSPECT.search(text) and not _STRETCH.search(text):
            return False
        glued = {piece.strip(_GLUE) for piece in set(text.translate(_BREAKS).split())}
        pieces = {piece.lstrip("$") for piece in "\n".join(glued).translate(_SPACE_FOR_GLUE).split()}
        pieces |= _joined_words(glued)
        if spaced:
            pieces |= _spaced_words(text)
        pieces |= {piece.lstrip(_HEAD) for piece in pieces} | {piece.rstrip(_TAIL) for piece in pieces}
        masked = {piece.replace("#", "*") for piece in glued}
        return not self._masks.isdisjoint(masked) or not self._terms.isdisjoint(pieces) or self._spells(pieces)

    def _spells(self, pieces: set[str]) -> bool:
        ambiguous = [piece for piece in pieces if _I_OR_L.search(piece)]
        return self._stretched.match(list(pieces)) or self._stretched_i_for_l.match(ambiguous)


class _Spellings:
    """The terms under their letters without repetition, in one reading of digits and symbols."""

    def __init__(self, terms: Iterable[str], letters: dict[int, int]) -> None:
        self._letters = letters
        self._terms: dict[str, list[str]] = {}
        for term in terms:
            spelled = term.translate(letters)
            self._terms.setdefault(_REPEATED.sub("", spelled), []).append(spelled)

    def match(self, pieces: Sequence[str]) -> bool:
        """Tell whether one of the pieces is a term, some letters of which may be repeated."""
        # One string for all pieces, so that the passes over the characters are made in C.
        spelled = "\n".join(pieces).translate(self._letters)
        keys = _REPEATED.sub("", spelled).split("\n")
        if self._terms.keys().isdisjoint(keys):
            return False
        return any(
            _stretches(letters, term)
            for piece, letters, key in zip(pieces, spelled.split("\n"), keys, strict=True)
            if key in self._terms and _is_worded(piece)
            for term in self._terms[key]
            # A word without any disguise is compared with the terms themselves, not with what they may stand for.
            if not piece == letters == term
        )


def _stretches(spelled: str, term: str) -> bool:
    # Two of a, i or u are rare in English words, two of other letters are not: a hatter is no hater.
    for run, wanted in zip(_RUN.finditer(spelled), _RUN.finditer(term), strict=True):
        length, least = len(run[0]), len(wanted[0])
        if length < least or (length > least and length < 3 and run[1] not in "aiu"):
            return False
    return True


def _is_worded(piece: str) -> bool:
    # A part number has fewer letters than this, or one only.
    distinct = _REPEATED.sub("", piece)
    letters = sum(map(str.isalpha, distinct))
    return letters >= 2 and 2 * letters >= len(distinct)


def _masks(term: str) -> set[str]:
    one_vowel = {f"{term[: vowel.start()]}*{term[vowel.end() :]}" for vowel in _VOWEL.finditer(term)}
    return one_vowel | ({_VOWEL.sub("*", term)} if one_vowel else set())


def _joined_words(glued: set[str]) -> set[str]:
    divided = "\n".join(piece for piece in glued if not piece.isalnum())
    parts = divided.translate(_SPACE_FOR_GLUE).replace("\n", " \n ").split(" ")
    pairs = map("".join, pairwise(part for part in parts if part))
    # Product codes such as K1-L1 are told from words by their digits.
    return {word for word in chain(divided.translate(_WITHOUT_GLUE).split("\n"), pairs) if word.isalpha()}


def _spaced_words(text: str) -> set[str]:
    # A run of single letters is read whole, and in parts with one and the same separator: "i  h a t e  y o u".
    parts = _SPACED.split(text.replace("_", "-"))
    whole: list[str] = []
    alike: list[str] = []
    before = ""
    for token, gap in zip(parts[1::2], parts[2::2], strict=True):
        single = token if len(token) == 1 else "\n"
        whole.append(single)
        alike.append(single)
        if gap != before:
            alike.append("\n" + single)
            before = gap
    runs = {run for run in "\n".join(("".join(whole), "".join(alike))).split("\n") if len(run) > 2}
    starts = runs | {run.removeprefix(word) for run in runs for word in _BEFORE}
    return starts | {run.removesuffix(word) for run in starts for word in _AFTER}
