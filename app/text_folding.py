"""The folding of a text to plain lower-case letters and ASCII punctuation, which the content filter compares."""

import re
import unicodedata
from functools import lru_cache
from itertools import chain

# Cyrillic, Greek, Armenian and phonetic letters that are drawn like a Latin one.
_LOOKALIKES = dict(
    zip(
        "АВЕКМНОРСТУХЅІЈҺӀ" + "аекорсухѕіјһӏԁԛԝ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "αεικνορτυ" + "հօոս",
        "ABEKMHOPCTYXSIJHI" + "aekopcyxsijhldqw" + "ABEZHIKMNOPTYX" + "aeikvoptu" + "honu",
        strict=True,
    )
)
# Small Cyrillic letters that resemble Latin capitals. They count only where they stand in a word with Latin letters:
# the Russian word for "here you are" would otherwise read as "hate".
_LOOSE_LOOKALIKES = str.maketrans("вгмнт", "brmht")
_TURNED_LETTERS = frozenset("ǝʇɐɥʎʞɹɯɔƃɟʌʍ")
_TURNED = str.maketrans("ǝʇɐɥʎʞɹɯɔƃɟʌʍıןundpbq", "etahykrmcgfvwilnupdqb")
_CONTEXTUAL = _TURNED_LETTERS | set("вгмнт")
_STROKED = dict(zip("ħłøđŧıɑɡəɩʟĦŁØĐŦ", "hlodtiageilhlodt", strict=True))
_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇɢʜɪᴊᴋᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdeghijkmnoprstuvwyz", strict=True))
# Negative circled, negative squared and regional indicator letters have no compatibility decomposition.
_ENCLOSED = {chr(start + i): chr(ord("a") + i) for start in (0x1F150, 0x1F170, 0x1F1E6) for i in range(26)}
_SYMBOLS = dict(zip("’·•‐€£", "'..-el", strict=True))
# Letters and marks that are blank on the screen, though their categories do not tell.
_VARIATION_SELECTORS = map(chr, range(0xFE00, 0xFE10))
_BLANKS = dict.fromkeys(chain("\u034f\u115f\u1160\u3164\uffa0\u180b\u180c\u180d", _VARIATION_SELECTORS), "")
_PLAIN = {**_LOOKALIKES, **_STROKED, **_SMALL_CAPITALS, **_ENCLOSED, **_SYMBOLS, **_BLANKS}
# Only Japanese units and Arabic phrases are longer; without them no text grows to more than four times its length.
_LONGEST_EXPANSION = 4

_ACCENTS = frozenset("âéÂÉ\u0302\u0301")
_A, _E = "(?:â|a\u0302)", "(?:é|e\u0301)"
# Ordinary French, Spanish and Portuguese words (haste, grater, snuff) that would be English ones without the accent.
_ACCENTED_WORDS = re.compile(rf"\b(?:(?:h{_A}t|r{_A}p)(?:e[rs]?|{_E}e?s?)|rap{_E}s?)(?!\w)", re.IGNORECASE)
_LINE_BREAK = re.compile(r"(?<=[^\W\d_]{2})[-\u00ad\u2010]\r?\n[ \t]*+(?=[^\W\d_])")
_WORD = re.compile(r"\w+")
_BASIC_LATIN = re.compile(r"[a-z]", re.IGNORECASE)


def fold(text: str) -> str:
    """Return the text in plain lower-case letters, with words that a line break divides made whole."""
    if "\n" in text:
        text = _LINE_BREAK.sub("", text)
    if not text.isascii():
        text = _without_disguise(text)
    return text.casefold()


def _without_disguise(text: str) -> str:
    characters = set(text)
    if not _ACCENTS.isdisjoint(characters):
        text = _ACCENTED_WORDS.sub(" ", text)
    if not _CONTEXTUAL.isdisjoint(characters):
        text = _WORD.sub(_upright, text)
    # Each distinct character is normalised once and by itself: to normalise a text takes time that grows with the
    # square of the number of marks on one letter, and no composition is needed where marks are dropped.
    return text.translate({ord(char): _plain(char) for char in characters})


def _upright(match: re.Match[str]) -> str:
    word = match[0]
    if word.isascii():
        return word
    if not _TURNED_LETTERS.isdisjoint(word):
        return word.translate(_TURNED)[::-1]
    return word.translate(_LOOSE_LOOKALIKES) if _BASIC_LATIN.search(word) else word


@lru_cache(maxsize=16384)
def _plain(char: str) -> str:
    if unicodedata.is_normalized("NFKD", char):
        return _plain_part(char)
    expansion = unicodedata.normalize("NFKD", char)
    return "".join(map(_plain_part, expansion)) if len(expansion) <= _LONGEST_EXPANSION else " "


def _plain_part(char: str) -> str:
    if char in _PLAIN:
        return _PLAIN[char]
    if char.isalnum() or char.isascii():
        return char
    category = unicodedata.category(char)
    if category in {"Cf", "Me"} or _is_diacritic(char):
        return ""
    return char if category[0] == "M" else " "


def _is_diacritic(char: str) -> bool:
    # The classes from 2 to 9 hold signs that are letters of their own: nuktas, viramas and voicing marks.
    position = unicodedata.combining(char)
    return position == 1 or position > 9
