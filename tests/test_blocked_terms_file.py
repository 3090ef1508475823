"""The tests of the files that hold the terms of the content filter."""

from pathlib import Path

import pytest

from app.content_filter import BlockedTerms, read_terms
from tests.measure_content_filter import DEFAULT_TERMS, refuses


def test_a_file_of_terms_replaces_the_default(tmp_path: Path) -> None:
    path = tmp_path / "terms.txt"
    path.write_text("# sweets\n\nLiquorice\nneo-fudge\nлжицы\n", encoding="utf-8")

    custom = BlockedTerms(read_terms(path))

    assert [refuses(custom, text) for text in ("l1quorice", "a Neo-Fudge", "ЛЖИЦЫ", "I hate this")] == [1, 1, 1, 0]


def test_comments_and_blank_lines_hold_no_terms(tmp_path: Path) -> None:
    path = tmp_path / "terms.txt"
    path.write_text("\ufeff# a comment\r\n\r\n  mint  \r\n\t# another\r\nfudge", encoding="utf-8")

    assert read_terms(path) == {"mint", "fudge"}


@pytest.mark.parametrize("term", ["two words", "two\u00a0words", "1234", "--"])
def test_a_line_without_one_word_is_an_error_that_tells_its_number_only(tmp_path: Path, term: str) -> None:
    path = tmp_path / "terms.txt"
    path.write_text(f"# a comment\nfudge\n{term}\n", encoding="utf-8")

    with pytest.raises(ValueError, match="line 3") as caught:
        read_terms(path)

    assert term not in str(caught.value)


def test_the_default_terms_leave_out_words_that_are_mostly_harmless() -> None:
    terms = read_terms(DEFAULT_TERMS)

    assert 100 <= len(terms) <= 200
    assert terms.isdisjoint({"die", "shoot", "hang", "beat", "attack", "bomb", "execute", "assassin", "lynch"})
