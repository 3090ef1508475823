"""The values of the terms of texts, as scikit-learn's vectorizers and its TfidfTransformer weigh them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.utils import murmurhash3_32

from app.instances import Array
from app.runtimes.acceleration.terms import Terms

# Of each term: its position, and what it counts as, or None where that is 1.
Places = Callable[[list[str]], tuple[Array, Array | None]]


@dataclass(frozen=True, slots=True)
class Weighting:
    """What becomes of a count; `idf` has a factor a position."""

    binary: bool
    sublinear: bool
    idf: Array | None
    norm: str | None

    def values(self, counts: Array, positions: Array, rows: Array, *, texts: int) -> Array:
        """In the order of scikit-learn's own computation, so that rounding is the same."""
        values = np.ones(len(counts)) if self.binary else counts.astype(np.float64)
        if self.sublinear:
            values = np.log(values) + 1.0
        if self.idf is not None:
            values *= self.idf[positions]
        if self.norm is not None:
            sizes = np.abs(values) if self.norm == "l1" else values * values
            norms = np.bincount(rows, weights=sizes, minlength=texts)
            norms = norms if self.norm == "l1" else np.sqrt(norms)
            norms[norms == 0.0] = 1.0
            values /= norms[rows]
        return values


@dataclass(frozen=True, slots=True)
class TermValues:
    """`vocabulary` is the vectorizer's own; None where terms are hashed, `signed` where a hash may count as -1."""

    terms: Terms
    vocabulary: dict[str, int] | None
    places: Places
    width: int
    weighting: Weighting
    signed: bool = False

    def __call__(self, texts: list[str]) -> tuple[Array, Array, Array]:
        """Row, position and value of every term that counts, in the order of rows and positions."""
        terms = [self.terms(text) for text in texts]
        positions, signs = self.places(list(chain.from_iterable(terms)))
        rows = np.repeat(np.arange(len(texts)), np.array(list(map(len, terms))))
        keys = (rows * self.width + positions)[positions >= 0]
        if signs is None:
            keys, counts = np.unique(keys, return_counts=True)
        else:
            keys, first = np.unique(keys, return_inverse=True)
            counts = np.bincount(first, weights=signs, minlength=len(keys))
        rows, positions = np.divmod(keys, self.width)
        return rows, positions, self.weighting.values(counts, positions, rows, texts=len(texts))


def term_values(vectorizer: Any, terms: Terms, transformer: Any | None) -> TermValues | None:
    """Of a vectorizer that `terms_of` knows, and the TfidfTransformer behind it, if there is one."""
    if type(vectorizer) is HashingVectorizer:
        return _hashed(vectorizer, terms, transformer)
    vocabulary = getattr(vectorizer, "vocabulary_", None)
    if type(vectorizer) is TfidfVectorizer:
        if transformer is not None:
            return None
        # Fitted with the vectorizer; options of the vectorizer that were changed later do not count.
        transformer = getattr(vectorizer, "_tfidf", TfidfTransformer())
    if type(vocabulary) is not dict or not vocabulary:
        return None
    weighting = _weighting(bool(vectorizer.binary), transformer, len(vocabulary))
    if weighting is None:
        return None
    find = vocabulary.get

    def places(terms: list[str]) -> tuple[Array, Array | None]:
        return np.array(list(map(find, terms, repeat(-1))), dtype=np.int64), None

    return TermValues(terms, vocabulary, places, len(vocabulary), weighting)


def _hashed(vectorizer: Any, terms: Terms, transformer: Any | None) -> TermValues | None:
    width, signed = int(vectorizer.n_features), bool(vectorizer.alternate_sign)
    if transformer is None:
        weighting: Weighting | None = Weighting(bool(vectorizer.binary), False, None, vectorizer.norm)
    elif vectorizer.norm is not None or signed:
        return None
    else:
        weighting = _weighting(bool(vectorizer.binary), transformer, width)
    if weighting is None:
        return None

    def places(terms: list[str]) -> tuple[Array, Array | None]:
        hashes = np.array(list(map(murmurhash3_32, terms)), dtype=np.int64)
        return np.abs(hashes) % width, np.where(hashes < 0, -1.0, 1.0) if signed else None

    return TermValues(terms, None, places, width, weighting, signed)


def _weighting(binary: bool, transformer: Any | None, width: int) -> Weighting | None:
    """None for an unfitted transformer, and where a term that is there could count as none or have no number."""
    if transformer is None:
        return Weighting(binary, False, None, None)
    idf = getattr(transformer, "idf_", None)
    if idf is None and transformer.use_idf:
        return None
    if idf is not None and not (idf.dtype == np.float64 and idf.shape == (width,) and (idf > 0).all()):
        return None
    if idf is not None and not np.isfinite(idf).all():
        return None
    return Weighting(binary, bool(transformer.sublinear_tf), idf, transformer.norm)
