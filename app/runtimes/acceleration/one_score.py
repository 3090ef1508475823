"""One score of a text, in as few steps of the interpreter as there can be; for a few texts numpy takes longer."""

from collections import Counter
from collections.abc import Callable
from math import exp, log, sqrt

import numpy as np

from app.instances import Array
from app.runtimes.acceleration.linear_scores import TIE, Linear, clipped, normalized
from app.runtimes.acceleration.term_values import TermValues, Weighting
from app.runtimes.base import Predictions

# What the rounding of the estimator's own sums may come to: half of what answers may differ by.
MOST_ROUNDING = 5e-13
# A text of more is left to numpy, which adds in the estimator's order.
MOST_TERMS = 1000


class OneScore:
    """The score of a regressor, or of the second of two classes; the answers of texts are made of it."""

    def __init__(self, linear: Linear, values: TermValues, weights: Array, *, bias: float, most_terms: int) -> None:
        self._words, self._joined = values.terms.words, values.terms.joined
        self._words_are_terms = values.terms.words_are_terms
        self._find = _weights_by_term(values, weights).get
        self._bias, self._norm, self._most_terms = bias, values.weighting.norm, most_terms
        # By how often a term is there: what is missing from its weight, and from its part of the norm, times that.
        self._more = [_more(values.weighting, count) for count in range(most_terms + 1)]
        self._counts_matter = any(map(any, self._more))
        self._classes = linear.classes
        # A smaller number of a regressor with a large bias is one of large parts.
        self._least = _unit(linear) if _unit(linear) > 1.0 else 0.0
        self._probability = _probability(linear)

    def answers(self, texts: list[str]) -> Predictions | None:
        """None where rounding could decide."""
        classes, probability = self._classes, self._probability
        if not classes:
            return self._numbers(texts)
        values, probabilities = [], []
        for text in texts:
            score = self._score(text)
            if score is None or -TIE <= score <= TIE:
                return None
            values.append(classes[score > 0.0])
            if probability is not None:
                second = probability(score)
                probabilities.append([1.0 - second, second])
        return Predictions(values, None if probability is None else probabilities)

    def _numbers(self, texts: list[str]) -> Predictions | None:
        scores = list(map(self._score, texts))
        if any(score is None or abs(score) < self._least for score in scores):
            return None
        return Predictions(scores, None)  # type: ignore[arg-type]

    def _score(self, text: str) -> float | None:
        words = self._words(text)
        terms = self._joined(words)
        if len(terms) > self._most_terms:
            return None
        total = sum(filter(None, map(self._find, terms)))
        score, size = total.real, total.imag
        if self._counts_matter:
            if not self._words_are_terms:
                words = terms
            again = len(words) - len(set(words))
            if again:
                for term, count in Counter(terms if again > 1 else words).items():
                    if count > 1 and (weight := self._find(term)):
                        more, larger = self._more[count]
                        score += more * weight.real
                        size += larger * weight.imag
        if size:
            score /= sqrt(size) if self._norm == "l2" else size
        return score + self._bias


def one_score(linear: Linear, values: TermValues) -> OneScore | None:
    """None where there are several scores, and where terms are hashed."""
    weights, biases = linear.weights, linear.biases
    two = linear.probabilities is normalized and weights.shape[1] == 2
    if values.vocabulary is None or not (linear.single or two):
        return None
    most_terms = _most_terms(linear, values.weighting)
    column, bias = (weights[:, 1] - weights[:, 0], biases[1] - biases[0]) if two else (weights[:, 0], biases[0])
    return OneScore(linear, values, column, bias=float(bias), most_terms=most_terms) if most_terms else None


def _most_terms(linear: Linear, weighting: Weighting) -> int:
    """
    How many terms a text may have for the rounding of its score to stay small in its answer.

    Rounding goes at random: it grows with the square root of the number of terms, times the sum of their sizes.
    """
    weights = linear.weights if weighting.norm or weighting.idf is None else linear.weights * weighting.idf[:, None]
    rounding = np.finfo(np.float64).epsneg
    allowed = MOST_ROUNDING * _unit(linear) - rounding * np.abs(linear.biases).max()
    largest = np.abs(weights).max() * rounding
    if allowed <= 0.0:
        return 0
    if largest == 0.0:
        return MOST_TERMS
    return int(min((allowed / largest) ** {"l2": 1.0, "l1": 2.0}.get(weighting.norm or "", 2.0 / 3.0), MOST_TERMS))


def _unit(linear: Linear) -> float:
    """
    Of what the rounding is a fraction.

    No probability has more of a score's error than a quarter, and a label may have much more of it. A regressor's
    number may be off in proportion to its size, which is about that of the bias where that is large.
    """
    if linear.classes:
        return 4.0
    bias = abs(float(linear.biases[0])) / 16.0
    return bias if bias > 1.0 else 1.0


def _weights_by_term(values: TermValues, weights: Array) -> dict[str, complex] | dict[str, float]:
    """
    By term its weight, and as the imaginary part its own part of the norm: one look-up and one sum give both.

    Without a norm, terms without a weight are left out.
    """
    assert values.vocabulary is not None
    weighting = values.weighting
    idf = np.ones(values.width) if weighting.idf is None else weighting.idf
    reals = (weights * idf).tolist()
    if weighting.norm is None:
        return {term: reals[position] for term, position in values.vocabulary.items() if reals[position]}
    sizes = (idf * idf if weighting.norm == "l2" else idf).tolist()
    return {term: complex(reals[position], sizes[position]) for term, position in values.vocabulary.items()}


def _more(weighting: Weighting, count: int) -> tuple[float, float]:
    if count < 2:
        return 0.0, 0.0
    value = float(count)
    if weighting.sublinear:
        value = 1.0 + log(count)
    if weighting.binary:
        value = 1.0
    size = {"l2": value * value, "l1": value}.get(weighting.norm or "", float(count))
    return value - count, size - count


def _probability(linear: Linear) -> Callable[[float], float] | None:
    """Of the second class, by its score."""
    if linear.probabilities is None:
        return None
    return _clipped if linear.probabilities is clipped else _sigmoid


def _sigmoid(score: float) -> float:
    """Below -700 the exponential would overflow."""
    return 1.0 / (1.0 + exp(-score)) if score > -700.0 else 0.0


def _clipped(score: float) -> float:
    return (min(max(score, -1.0), 1.0) + 1.0) / 2.0
