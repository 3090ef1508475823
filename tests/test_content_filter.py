"""The tests of the content filter."""

from itertools import product
from time import thread_time

import pytest

from app.content_filter import BlockedTerms, ContentFilter, NoContentFilter, read_terms
from app.errors import ContentRejected, ForkcastError
from tests.measure_content_filter import DATA, DEFAULT_TERMS, measure, read_texts, refuses

LENGTH = 10_000
# What a text would be made of that takes long if any step looks back.
UNITS = (
    *("a", "h", "!", ".", "*", "-", " ", "h.", "h ", "h a-t.", "k1", "ha", "aabb", "h*t ", "hatter ", "1 ", "\u200b"),
    *("ab-\n", "ab-\n    ", "a\u0300\u0316", "\u0300\u0316", "\ufdfa", "㌀", "hат ", "𝐡𝐚𝐭 ", "ǝʇ "),
)


@pytest.fixture(scope="module")
def default() -> BlockedTerms:
    return BlockedTerms(read_terms(DEFAULT_TERMS))


@pytest.mark.parametrize("text", ["I hate this", "HATE", "They were killed.", "(murder)", "i_hate_you", "hate123"])
def test_a_text_with_a_listed_word_is_refused(default: BlockedTerms, text: str) -> None:
    assert refuses(default, text)


@pytest.mark.parametrize("text", ["", " ", "...", "!", "whatever", "Whatever happens, the chateau opens at nine."])
def test_a_text_without_a_listed_word_is_accepted(default: BlockedTerms, text: str) -> None:
    assert not refuses(default, text)


def test_letters_on_both_sides_of_a_term_do_not_match(default: BlockedTerms) -> None:
    sides = ["s", "x", "wh", "Q", "é", "ш", "λ", "語"]
    texts = [f"{left}{term}{right}" for left, right in product(sides, sides) for term in read_terms(DEFAULT_TERMS)]
    listed = {text for text in texts if text.casefold() in read_terms(DEFAULT_TERMS)}

    refused = {text for text in texts if refuses(default, text)}

    assert refused == listed


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ＨＡＴＥ", id="full width"),
        pytest.param("𝐤𝐢𝐥𝐥", id="mathematical letters"),
        pytest.param("🅷🅰🆃🅴", id="enclosed letters"),
        pytest.param("ᴋɪʟʟ", id="small capitals"),
        pytest.param("ǝʇɐɥ", id="turned letters"),
        pytest.param("mürdér", id="diacritics"),
        pytest.param("h\u0337a\u0337t\u0337e\u0337", id="combining marks"),
        pytest.param("h\u200bat\u00ade", id="invisible characters"),
        pytest.param("hаtе", id="Cyrillic letters"),
        pytest.param("hатe", id="Cyrillic letters like Latin capitals"),
        pytest.param("hαtε", id="Greek letters"),
        pytest.param("h4te", id="digit for a"),
        pytest.param("h@te", id="symbol for a"),
        pytest.param("k1ll", id="digit for i"),
        pytest.param("ki!!", id="symbols for l"),
        pytest.param("m*rder", id="masked vowel"),
        pytest.param("h.a.t.e", id="dots"),
        pytest.param("h-a-t-e", id="hyphens"),
        pytest.param("h_a_t_e", id="underscores"),
        pytest.param("h*a*t*e", id="asterisks"),
        pytest.param("I h a t e you", id="spaces"),
        pytest.param("s o  h a t e  h i m", id="spaces of two widths"),
        pytest.param("h\na\nt\ne", id="lines"),
        pytest.param("h 4 t 3", id="spaces and digits"),
        pytest.param("mur-der", id="one hyphen"),
        pytest.param("mur-\nder", id="hyphen at the end of a line"),
        pytest.param("haaaate", id="repeated vowel"),
        pytest.param("killlll", id="repeated consonant"),
        pytest.param("h444te", id="repeated digit"),
        pytest.param("h a a a t e", id="repeated and spaced"),
    ],
)
def test_a_disguised_word_is_refused(default: BlockedTerms, text: str) -> None:
    assert refuses(default, f"say {text} to them")


@pytest.mark.parametrize(
    "text",
    ["the Mad Hatter", "K111", "K1-L1", "574BB3D", "echo $tab", "s+ab", "h + a + t + e", "hat er", "J'ai hâte", "Нате"],
)
def test_what_only_resembles_a_disguise_is_accepted(default: BlockedTerms, text: str) -> None:
    assert not refuses(default, text)


def test_the_error_tells_the_index_of_the_text_and_nothing_of_what_it_says(default: BlockedTerms) -> None:
    with pytest.raises(ForkcastError) as caught:
        default.check(["good morning", "whatever", "I hate this", "kill"])

    assert isinstance(caught.value, ContentRejected)
    assert str(caught.value) == "Text 2 has inappropriate content"


def test_no_filter_accepts_every_text() -> None:
    off: ContentFilter = NoContentFilter()

    assert not refuses(off, "I hate this")


@pytest.mark.parametrize("text", ["I hate this", "k1ll", "h a t e", "!!!", "", "a b c d", "1 2 3 4", "ha-te"])
def test_an_empty_set_of_terms_refuses_nothing(text: str) -> None:
    assert not refuses(BlockedTerms([]), text)


def test_a_term_of_separators_alone_refuses_nothing() -> None:
    separators = BlockedTerms(["", "-", "_*_"])

    assert not refuses(separators, "- a * b -- c_d ...")


def test_a_term_with_a_symbol_does_not_refuse_the_plain_word() -> None:
    symbol = BlockedTerms(["f@ir"])

    assert refuses(symbol, "f@ir!")
    assert not refuses(symbol, "fair!")


@pytest.mark.parametrize("unit", UNITS)
def test_a_long_text_of_any_kind_is_checked_in_little_time(default: BlockedTerms, unit: str) -> None:
    text = ("a" + unit * LENGTH)[:LENGTH]
    start = thread_time()

    refuses(default, text)

    assert thread_time() - start < 0.2


def test_the_innocent_and_the_evasive_texts_are_told_apart(default: BlockedTerms) -> None:
    innocent, evasions = read_texts(DATA / "innocent.txt"), read_texts(DATA / "evasions.txt")

    result = measure(default, innocent, evasions)

    assert min(len(innocent), len(evasions)) >= 220
    assert len(result.false_positives) <= 4
    assert result.precision >= 0.98
    assert result.recall >= 0.92
