"""The corpus that comes with the project, and the default model that is trained on it."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import CountVectorizer

from app.demo.__main__ import EXAMPLE, REVIEWS
from app.runtimes import load_runtime
from app.runtimes.artifact import manifest_path
from app.runtimes.base import Runtime
from app.training.__main__ import train

NEAR_DUPLICATE = 0.8


@pytest.fixture(scope="session")
def reviews() -> list[dict[str, str]]:
    with REVIEWS.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def default_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "sentiment.joblib"
    train(REVIEWS, target=None, out=path, name="sentiment", example=EXAMPLE)
    return path


@pytest.fixture(scope="session")
def runtime(default_model: Path) -> Runtime:
    return load_runtime(str(default_model), pin=None, max_bytes=2**30)


def tokens(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def test_there_are_about_two_thousand_reviews_of_six_domains(reviews: list[dict[str, str]]) -> None:
    domains = Counter(review["domain"] for review in reviews)

    assert 1_900 <= len(reviews) <= 2_100
    assert len(domains) == 6
    assert min(domains.values()) >= 0.8 * max(domains.values())


def test_labels_are_balanced_in_every_domain(reviews: list[dict[str, str]]) -> None:
    labels = Counter((review["domain"], review["label"]) for review in reviews)

    assert {label for _, label in labels} == {"positive", "negative"}
    for domain in {domain for domain, _ in labels}:
        positive, negative = labels[domain, "positive"], labels[domain, "negative"]
        assert abs(positive - negative) <= 0.05 * (positive + negative), domain


def test_no_review_stands_there_twice(reviews: list[dict[str, str]]) -> None:
    counts = Counter(" ".join(tokens(review["text"])) for review in reviews)

    assert [text for text, count in counts.items() if count > 1 or not text] == []


def test_no_review_is_nearly_another(reviews: list[dict[str, str]]) -> None:
    texts = [review["text"] for review in reviews if len(tokens(review["text"])) >= 5]
    words = CountVectorizer(analyzer=tokens, binary=True).fit_transform(texts)
    common = (words @ words.T).toarray()
    sizes = common.diagonal()

    jaccard = common / (sizes[:, None] + sizes[None, :] - common)

    pairs = [(texts[a], texts[b]) for a, b in zip(*(jaccard >= NEAR_DUPLICATE).nonzero(), strict=True) if a < b]
    assert pairs == []


def test_reviews_are_short_and_long(reviews: list[dict[str, str]]) -> None:
    lengths = sorted(len(tokens(review["text"])) for review in reviews)

    assert lengths[len(lengths) // 10] <= 5
    assert lengths[9 * len(lengths) // 10] >= 15


def test_reviews_begin_in_many_ways(reviews: list[dict[str, str]]) -> None:
    first = Counter(tokens(review["text"])[0] for review in reviews)

    assert len(first) >= 300
    assert max(first.values()) <= 0.15 * len(reviews)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("great", "positive"),
        ("not good at all", "negative"),
        ("I hate this", "negative"),
        ("a dull, joyless waste of time", "negative"),
        ("a warm and funny film", "positive"),
    ],
)
def test_the_default_model_knows_a_plain_opinion(runtime: Runtime, text: str, label: str) -> None:
    assert list(runtime.predict([text]).values) == [label]


def test_the_default_model_is_right_on_three_of_four_reviews_that_it_has_not_seen(default_model: Path) -> None:
    report = json.loads(manifest_path(default_model).read_text())["report"]

    assert report["rows_held_out"] >= 350
    assert report["figures"]["accuracy"] >= 0.75
    assert report["figures"]["always the same class"] <= 0.55


def test_the_default_model_is_named_and_shows_its_example(runtime: Runtime) -> None:
    metadata = runtime.metadata

    assert (metadata.name, metadata.classes) == ("sentiment", ("negative", "positive"))
    assert metadata.inputs.example == EXAMPLE
