import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold, chi2, f_classif
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.svm import SVC, LinearSVC, LinearSVR

from app.input_schema import TableInput, TextInput
from app.runtimes.acceleration import accelerated
from app.runtimes.acceleration.accelerated_runtime import AcceleratedRuntime
from app.runtimes.acceleration.base import Accelerator
from app.runtimes.acceleration.linear_text import LinearText, build
from app.runtimes.acceleration.proof import Unequal, proven
from app.runtimes.base import ModelMetadata, Predictions
from app.runtimes.sklearn_runtime import SklearnRuntime

WORDS = ["warm", "funny", "film", "the", "a", "dull", "not", "good", "moving", "très", "café", "x", "o'clock", "3d"]
CHOSEN = np.random.default_rng(20)
CORPUS = [" ".join(CHOSEN.choice(WORDS, size)) for size in CHOSEN.integers(1, 12, 60)]
TWO = np.array(["good" if "good" in text or "warm" in text else "bad" for text in CORPUS])
THREE = np.array([("low", "middle", "high")[len(text) % 3] for text in CORPUS])
SIZES = np.array([len(text) / 10 for text in CORPUS])
SENTENCE = r"(?:^|\s)(\S+)"


class AnyWeights(BaseEstimator):
    """Every other feature is important to it."""

    def fit(self, features: Any, target: Any) -> "AnyWeights":
        self.coef_ = np.arange(features.shape[1]) % 2.0
        return self


VECTORIZERS: dict[str, Callable[[], list[Any]]] = {
    "tfidf": lambda: [TfidfVectorizer()],
    "tfidf, pairs, sublinear": lambda: [TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)],
    "tfidf, l1": lambda: [TfidfVectorizer(ngram_range=(1, 3), norm="l1", smooth_idf=False)],
    "tfidf, no norm": lambda: [TfidfVectorizer(norm=None, binary=True, strip_accents="unicode")],
    "tfidf, no idf": lambda: [TfidfVectorizer(use_idf=False, ngram_range=(2, 3), strip_accents="ascii")],
    "tfidf, sublinear, no norm": lambda: [TfidfVectorizer(norm=None, sublinear_tf=True, max_features=10)],
    "tfidf, cased": lambda: [TfidfVectorizer(lowercase=False, stop_words=["the", "x"], ngram_range=(1, 2))],
    "tfidf, groups": lambda: [TfidfVectorizer(token_pattern=SENTENCE, ngram_range=(1, 2), sublinear_tf=True)],
    "tfidf, any words": lambda: [TfidfVectorizer(token_pattern=r"\w*", stop_words="english")],
    "tfidf, characters": lambda: [TfidfVectorizer(analyzer="char", ngram_range=(1, 3))],
    "tfidf, characters in words": lambda: [TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)],
    "counts": lambda: [CountVectorizer()],
    "counts, binary": lambda: [CountVectorizer(binary=True, ngram_range=(1, 2), dtype=np.float64)],
    "counts and tfidf": lambda: [CountVectorizer(ngram_range=(1, 2)), TfidfTransformer(sublinear_tf=True)],
    "hashes": lambda: [HashingVectorizer(n_features=64, ngram_range=(1, 2))],
    "hashes, l1": lambda: [HashingVectorizer(n_features=8, norm="l1", ngram_range=(2, 2))],
    "hashes, characters": lambda: [HashingVectorizer(n_features=100, norm=None, analyzer="char", ngram_range=(1, 2))],
    "hashes, not signed": lambda: [HashingVectorizer(n_features=64, alternate_sign=False)],
    "hashes and tfidf": lambda: [
        HashingVectorizer(n_features=16, alternate_sign=False, norm=None),
        TfidfTransformer(),
    ],
    "tfidf and few": lambda: [TfidfVectorizer(ngram_range=(1, 2)), SelectKBest(f_classif, k=9), VarianceThreshold()],
    "counts and the heaviest": lambda: [CountVectorizer(), SelectFromModel(AnyWeights())],
}
CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: LogisticRegression(C=10),
    "logistic regression through zero": lambda: LogisticRegression(fit_intercept=False),
    "SGD, hinge": lambda: SGDClassifier(random_state=20),
    "SGD, log loss": lambda: SGDClassifier(loss="log_loss", random_state=20),
    "SGD, modified Huber": lambda: SGDClassifier(loss="modified_huber", random_state=20),
    "SGD, averaged": lambda: SGDClassifier(loss="squared_hinge", average=True, random_state=20),
    "linear SVC": lambda: LinearSVC(),
    "ridge classifier": lambda: RidgeClassifier(),
    "perceptron": lambda: Perceptron(random_state=20),
    "multinomial naive Bayes": lambda: MultinomialNB(),
    "complement naive Bayes": lambda: ComplementNB(norm=True),
    "Bernoulli naive Bayes": lambda: BernoulliNB(),
}
REGRESSORS: dict[str, Callable[[], Any]] = {
    "ridge": lambda: Ridge(),
    "least squares": lambda: LinearRegression(),
    "SGD": lambda: SGDRegressor(random_state=20),
    "lasso": lambda: Lasso(alpha=0.01),
    "elastic net": lambda: ElasticNet(alpha=0.01),
    "linear SVR": lambda: LinearSVR(),
}
KNOWN_TEXTS = [
    *CORPUS[:8], "GOOD film", "good good good film good film", "Très drôle, CAFÉ!", "nothing of it", " ", "x",
    "3D-film", "e\u0301te\u0301 cafe\u0301", "the\tfilm\nthe\x00film", "これは good", " ".join(CORPUS),
    "o'clock good film " * 20, "warm film,good,warm,film good",
]  # fmt: skip


def fitted(steps: list[Any], target: Any) -> Pipeline:
    with warnings.catch_warnings():
        # Some do not converge on so few texts.
        warnings.simplefilter("ignore")
        return make_pipeline(*steps).fit(CORPUS, target)


def runtime(estimator: Any) -> SklearnRuntime:
    classes = getattr(estimator, "classes_", None) if hasattr(estimator[-1], "classes_") else None
    return SklearnRuntime(
        estimator,
        ModelMetadata(
            name="reviews",
            version="1",
            sha256="0" * 64,
            platform="sklearn",
            task="regression" if classes is None else "classification",
            inputs=TextInput(),
            classes=() if classes is None else tuple(classes.tolist()),
        ),
    )


def accelerator(own: SklearnRuntime) -> Accelerator:
    built = build(own.estimator, own.metadata)
    assert built is not None
    return built


def difference(own: SklearnRuntime, texts: list[str]) -> str | None:
    """What of the accelerator's answers, alone and in a block, is not the estimator's; None where nothing."""
    left = left_to(own, texts)
    answered = [text for text in texts if text not in left]
    try:
        assert not answered or proven(own, accelerator(own), answered) == answered
    except Unequal as unequal:
        return str(unequal)
    return None


def left_to(own: SklearnRuntime, texts: list[str]) -> list[str]:
    """The texts without an answer of the accelerator."""
    built = accelerator(own)
    return [text for text in texts if built.predict([text]) is None]


def assert_all_answered(own: SklearnRuntime, texts: list[str]) -> None:
    """As by the estimator."""
    assert difference(own, texts) is None
    assert not left_to(own, texts)


def cases(predictors: dict[str, Callable[[], Any]], usual: str, vectorizers: list[str]) -> list[tuple[str, str]]:
    """Each vectorizer with the usual predictor, and each predictor with some of the vectorizers."""
    each = [(vectorizer, usual) for vectorizer in VECTORIZERS]
    return each + [(vectorizer, name) for vectorizer in vectorizers for name in predictors if name != usual]


@pytest.mark.parametrize(
    ("vectorizer", "predictor"),
    cases(CLASSIFIERS, "logistic regression", ["tfidf, pairs, sublinear", "counts", "hashes, not signed"]),
)
@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two classes", "three classes"])
def test_a_classifier_of_texts_is_answered_as_it_answers_itself(vectorizer: str, predictor: str, labels: Any) -> None:
    own = runtime(fitted([*VECTORIZERS[vectorizer](), CLASSIFIERS[predictor]()], labels))

    assert difference(own, KNOWN_TEXTS) is None
    assert len(left_to(own, KNOWN_TEXTS)) <= len(KNOWN_TEXTS) // 3


@pytest.mark.parametrize(
    ("vectorizer", "predictor"), cases(REGRESSORS, "ridge", ["tfidf, pairs, sublinear", "hashes, not signed"])
)
@pytest.mark.parametrize("bias", [0.0, 1e5])
def test_a_regressor_of_texts_is_answered_as_it_answers_itself(vectorizer: str, predictor: str, bias: float) -> None:
    own = runtime(fitted([*VECTORIZERS[vectorizer](), REGRESSORS[predictor]()], SIZES + bias))

    assert_all_answered(own, KNOWN_TEXTS)


@cache
def hunted(name: str) -> SklearnRuntime:
    steps, target = {
        "default": ([TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10)], TWO),
        "three classes": ([TfidfVectorizer(strip_accents="unicode", norm="l1"), LogisticRegression(C=10)], THREE),
        "counts": ([CountVectorizer(ngram_range=(1, 3), stop_words=["x"]), MultinomialNB()], TWO),
        "hashes": ([HashingVectorizer(n_features=32), SGDClassifier(loss="log_loss", random_state=20)], TWO),
        "characters": ([TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3)), Ridge()], SIZES),
        "groups": ([CountVectorizer(token_pattern=SENTENCE, lowercase=False), LinearSVC()], TWO),
    }[name]
    return runtime(fitted(steps, target))


PIPELINES = ["default", "three classes", "counts", "hashes", "characters", "groups"]
SEPARATORS = [" ", "  ", ", ", "\n", "-", "'", "_", "", "\u00a0", "\x1c", "\x00", "…", " x ", "é", " a a "]
# By number: the tables of st.text take longer to make than all tests here take.
CHARACTERS = st.integers(1, 127) | st.integers(128, 0x24F) | st.integers(0x250, 0xD7FF) | st.integers(0xE000, 0x10FFFF)
OF_CHARACTERS = st.lists(CHARACTERS.map(chr), min_size=1, max_size=60).map("".join)
OF_WORDS = st.lists(
    st.one_of(st.sampled_from(WORDS), st.sampled_from([word.upper() for word in WORDS]), st.sampled_from(SEPARATORS)),
    min_size=1,
    max_size=30,
)


@pytest.mark.parametrize("name", PIPELINES)
@settings(max_examples=30, deadline=None)
@given(texts=st.lists(OF_CHARACTERS, min_size=1, max_size=5))
def test_no_text_is_answered_otherwise(name: str, texts: list[str]) -> None:
    assert difference(hunted(name), texts) is None


@pytest.mark.parametrize("name", PIPELINES)
@settings(max_examples=30, deadline=None)
@given(lists=st.lists(OF_WORDS, min_size=1, max_size=5), separator=st.sampled_from(SEPARATORS))
def test_no_text_of_known_words_is_answered_otherwise(name: str, lists: list[list[str]], separator: str) -> None:
    texts = [separator.join(words) or " " for words in lists]

    assert difference(hunted(name), texts) is None


@pytest.mark.parametrize("labels", [TWO, THREE])
@pytest.mark.parametrize("predictor", [LogisticRegression(fit_intercept=False), LinearSVC(fit_intercept=False)])
def test_a_block_with_a_near_tie_is_left_to_the_estimator(labels: Any, predictor: Any) -> None:
    built = accelerator(runtime(fitted([TfidfVectorizer(), predictor], labels)))

    assert built.predict(["good film"]) is not None
    assert built.predict(["nothing known"]) is None
    assert built.predict(["good film", "nothing known"]) is None


@pytest.mark.parametrize(
    ("loss", "biases"), [("modified_huber", [-1.0 + 1e-6, -2.0, -3.0]), ("log_loss", [-745.0, -800.0, -800.0])]
)
def test_probabilities_that_a_sum_near_zero_decides_are_left_to_the_estimator(loss: str, biases: list[float]) -> None:
    pipeline = fitted([TfidfVectorizer(), SGDClassifier(loss=loss, random_state=20)], THREE)
    pipeline[-1].intercept_ = np.array(biases)

    assert accelerator(runtime(pipeline)).predict(["nothing known"]) is None


@pytest.mark.parametrize("predictor", [LogisticRegression(), Ridge()])
def test_large_numbers_that_cancel_each_other_are_added_in_the_order_of_the_estimator(predictor: Any) -> None:
    pipeline = fitted([CountVectorizer(), predictor], TWO == "good")
    numbers = CHOSEN.normal(size=len(pipeline[0].vocabulary_)) * 1e5
    pipeline[-1].coef_ = numbers.reshape(pipeline[-1].coef_.shape)
    pipeline[-1].intercept_ = pipeline[-1].intercept_ * 0.0 + 0.3 - numbers.sum()

    assert_all_answered(runtime(pipeline), [" ".join(CHOSEN.permutation(WORDS)) for _ in range(20)])


def test_a_term_that_different_words_make_is_counted_as_often_as_it_is_there() -> None:
    vectorizer = TfidfVectorizer(token_pattern=r"[^,]+", ngram_range=(1, 2))
    texts = ["warm film,good", "warm,film good,dull", "dull,bad", "bad"]
    own = runtime(make_pipeline(vectorizer, LogisticRegression()).fit(texts, [1, 1, 0, 0]))

    assert_all_answered(own, ["warm film,good,warm,film good"])


def test_a_word_that_is_read_only_in_pairs_does_not_count_alone() -> None:
    vectorizer = TfidfVectorizer(ngram_range=(2, 2), vocabulary=["good film", "film"])
    own = runtime(fitted([vectorizer, LogisticRegression()], TWO))

    assert_all_answered(own, ["good film and film"])


def test_a_score_whose_exponential_has_no_end_has_a_probability() -> None:
    pipeline = fitted([CountVectorizer(), LogisticRegression()], TWO)
    pipeline[-1].intercept_ -= 800.0
    own = runtime(pipeline)

    assert_all_answered(own, ["dull", "good", "dull film dull", "good good good"])


def test_a_text_that_cannot_be_hashed_is_left_to_the_estimator() -> None:
    own = runtime(fitted([*VECTORIZERS["hashes, characters"](), LogisticRegression()], TWO))

    assert accelerator(own).predict(["good film"]) is not None
    assert accelerator(own).predict(["good \ud800 film"]) is None


def test_labels_are_those_of_the_metadata() -> None:
    own = runtime(fitted([TfidfVectorizer(), LogisticRegression(C=10)], (TWO == "good").astype(int)))
    named = replace(own.metadata, classes=("awful", "great"))
    built = build(own.estimator, named)
    assert built is not None

    predictions = built.predict(["warm good", "dull"])

    assert predictions is not None
    assert predictions.values == ["great", "awful"]


def test_a_table_is_left_to_the_estimator() -> None:
    assert accelerator(hunted("default")).predict({"text": np.array(["good"], dtype=object)}) is None


@pytest.mark.parametrize("name", PIPELINES)
def test_every_probe_can_be_asked_and_most_are_answered(name: str) -> None:
    own = hunted(name)
    built = accelerator(own)

    probes = own.metadata.inputs.block(built.probes(), str)
    answered = proven(own, built, probes)

    assert built.probes() == probes
    assert max(map(len, probes)) == 4_000
    assert 60 <= len(probes) <= 200
    assert len(answered) >= len(probes) * 0.6


class OwnVectorizer(TfidfVectorizer):
    pass


class OwnRegression(LogisticRegression):
    pass


class OwnPipeline(Pipeline):
    pass


class Unchanged(TransformerMixin, BaseEstimator):
    def fit(self, features: Any, target: Any = None) -> "Unchanged":
        return self

    def transform(self, features: Any) -> Any:
        return features


UNUSUAL: dict[str, Callable[[], Any]] = {
    "a vectorizer of its own": lambda: [OwnVectorizer(), LogisticRegression()],
    "a predictor of its own": lambda: [TfidfVectorizer(), OwnRegression()],
    "another predictor": lambda: [TfidfVectorizer(), SVC(kernel="linear")],
    "a step of its own": lambda: [TfidfVectorizer(), Unchanged(), LogisticRegression()],
    "a scaler": lambda: [TfidfVectorizer(), MaxAbsScaler(), LogisticRegression()],
    "selected before weighed": lambda: [CountVectorizer(), SelectKBest(chi2), TfidfTransformer(), LogisticRegression()],
    "weighed twice": lambda: [TfidfVectorizer(), TfidfTransformer(), LogisticRegression()],
    "a tokenizer": lambda: [TfidfVectorizer(tokenizer=str.split), LogisticRegression()],
    "a preprocessor": lambda: [TfidfVectorizer(preprocessor=str.lower), LogisticRegression()],
    "an analyzer": lambda: [TfidfVectorizer(analyzer=str.split), LogisticRegression()],
    "accents": lambda: [TfidfVectorizer(strip_accents=str.lower), LogisticRegression()],
    "float32": lambda: [TfidfVectorizer(dtype=np.float32), LogisticRegression()],
    "a threshold": lambda: [CountVectorizer(), BernoulliNB(binarize=1.0)],
    "signed presence": lambda: [HashingVectorizer(n_features=64), BernoulliNB()],
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_not_known_is_not_accelerated(name: str) -> None:
    own = runtime(fitted(UNUSUAL[name](), TWO))

    assert build(own.estimator, own.metadata) is None
    assert accelerated(own) is own


@pytest.mark.parametrize("missing", ["vocabulary_", "_tfidf", "coef_", "classes_"])
def test_what_is_not_fitted_is_not_accelerated(missing: str) -> None:
    pipeline = fitted([TfidfVectorizer(), LogisticRegression()], TWO)
    own = runtime(pipeline)
    for step in (pipeline[0], pipeline[-1]):
        vars(step).pop(missing, None)

    assert build(pipeline, own.metadata) is None


def changed(part: int, name: str, value: Callable[[Any], Any]) -> tuple[Pipeline, ModelMetadata]:
    pipeline = fitted([TfidfVectorizer(), LogisticRegression()], TWO)
    metadata = runtime(pipeline).metadata
    setattr(pipeline[part], name, value(getattr(pipeline[part], name)))
    return pipeline, metadata


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        (-1, "coef_", lambda weights: weights.astype(np.float32)),
        (-1, "coef_", lambda weights: weights[:, 1:]),
        (-1, "coef_", lambda weights: weights * np.inf),
        (-1, "coef_", lambda weights: weights * 1e200),
        (-1, "intercept_", lambda biases: biases * np.nan),
        (-1, "classes_", lambda classes: classes[:1]),
        (0, "vocabulary_", lambda vocabulary: dict(list(vocabulary.items())[1:])),
        (0, "dtype", lambda _: np.float32),
        (0, "idf_", lambda idf: np.zeros_like(idf)),
    ],
)
def test_numbers_that_cannot_be_taken_over_are_not_accelerated(part: int, name: str, value: Any) -> None:
    pipeline, metadata = changed(part, name, value)

    assert build(pipeline, metadata) is None


def test_other_inputs_or_another_kind_of_pipeline_are_not_accelerated() -> None:
    own = hunted("default")
    subclass = OwnPipeline(own.estimator.steps)

    assert build(subclass, own.metadata) is None
    assert build(own.estimator[-1], own.metadata) is None
    assert build(own.estimator, replace(own.metadata, inputs=TableInput((), {}))) is None
    assert build(own.estimator, replace(own.metadata, task="regression")) is None


@pytest.mark.parametrize("numbers", [1, 2])
def test_a_regressor_that_answers_lists_is_not_accelerated(numbers: int) -> None:
    own = runtime(fitted([TfidfVectorizer(), LinearRegression()], np.stack([SIZES] * numbers, axis=1)))

    assert build(own.estimator, own.metadata) is None


def test_a_classifier_of_several_labels_at_once_is_not_accelerated() -> None:
    both = np.stack([TWO == "good", THREE == "low", THREE == "high"], axis=1).astype(int)
    own = runtime(fitted([TfidfVectorizer(), RidgeClassifier()], both))

    assert build(own.estimator, own.metadata) is None


@pytest.mark.skipif(not hasattr(linear_model, "PassiveAggressiveClassifier"), reason="removed from scikit-learn 1.10")
def test_a_passive_aggressive_classifier_is_answered_as_it_answers_itself() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        predictor = linear_model.PassiveAggressiveClassifier(random_state=20)
    own = runtime(fitted([TfidfVectorizer(), predictor], THREE))

    assert difference(own, KNOWN_TEXTS) is None
    assert len(left_to(own, KNOWN_TEXTS)) <= len(KNOWN_TEXTS) // 3


def test_steps_that_pass_everything_through_do_not_count() -> None:
    pipeline = Pipeline([("words", TfidfVectorizer()), ("none", "passthrough"), ("linear", LogisticRegression())])
    own = runtime(pipeline.fit(CORPUS, TWO))

    assert_all_answered(own, ["good film", "dull"])


def damaged(name: str, part: str) -> Accelerator:
    """Built of an estimator in which one number, that of the first term, is another."""
    pipeline = fitted([step for _, step in hunted(name).estimator.steps], TWO if name != "three classes" else THREE)
    if part == "weight":
        position = next(iter(pipeline[0].vocabulary_.values()))
        pipeline[-1].coef_[0, position] += 0.01
    elif part == "idf":
        pipeline[0].idf_[next(iter(pipeline[0].vocabulary_.values()))] += 0.01
    elif part == "bias":
        pipeline[-1].intercept_[0] += 1e-9
    else:
        first, second = list(pipeline[0].vocabulary_)[:2]
        vocabulary = pipeline[0].vocabulary_
        vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    return accelerator(SklearnRuntime(pipeline, hunted(name).metadata))


@pytest.mark.parametrize("name", ["default", "three classes"])
@pytest.mark.parametrize("part", ["weight", "idf", "bias", "vocabulary"])
def test_a_damaged_accelerator_is_refused_on_its_own_probes(name: str, part: str) -> None:
    sound = fitted([step for _, step in hunted(name).estimator.steps], TWO if name != "three classes" else THREE)
    own = SklearnRuntime(sound, hunted(name).metadata)
    proven(own, accelerator(own), accelerator(own).probes())

    built = damaged(name, part)
    own = runtime(fitted([step for _, step in hunted(name).estimator.steps], TWO if name != "three classes" else THREE))

    with pytest.raises(Unequal):
        proven(own, built, built.probes())


def test_a_served_model_of_texts_is_accelerated() -> None:
    own = hunted("default")

    served = accelerated(own)
    served.prepare()

    assert isinstance(served, AcceleratedRuntime)
    assert served.metadata.acceleration == LinearText.name == "linear_text"
    assert isinstance(served.predict(["good film"]), Predictions)
