"""From the settings to the parts of who predicts: the content filter, the execution mode, a predictor a model."""

from pathlib import Path

from app import metrics
from app.api.deps import Serving
from app.content_filter import BlockedTerms, ContentFilter, NoContentFilter, read_terms
from app.errors import ModelNotReady
from app.execution import Executor, Inline, Threads
from app.micro_batch import MicroBatch
from app.model_store import ModelStore
from app.pace import Pace
from app.prediction_cache import PredictionCache
from app.predictor import Predictor
from app.settings import Settings
from app.surroundings import NOTHING_AROUND, Surroundings

DEFAULT_TERMS = Path(__file__).with_name("blocked_terms.txt")


def make_content_filter(settings: Settings) -> ContentFilter:
    """Predictions are screened only by `all`; prompts of text generation by `generate` too."""
    if settings.content_filter != "all":
        return NoContentFilter()
    return BlockedTerms(read_terms(settings.blocked_terms_file or DEFAULT_TERMS))


def make_executor(settings: Settings, models: ModelStore, pace: Pace) -> Executor:
    """The execution mode, behind a cache where there is to be one; raises ModelNotReady."""
    executor = make_execution_mode(settings, models, pace)
    return PredictionCache(executor, settings.cache_entries) if settings.cache_entries else executor


def make_execution_mode(settings: Settings, models: ModelStore, pace: Pace) -> Executor:
    """Raises ModelNotReady for threads around a model that may be called from one at a time only."""
    if settings.execution == "inline":
        return Inline(pace)
    if settings.execution == "threads":
        if settings.threads > 1 and any(held.runtime and not held.runtime.thread_safe for held in models):
            raise ModelNotReady("the model cannot predict in several threads at once; set FORKCAST_THREADS=1")
        return Threads(settings.threads, pace)
    return MicroBatch(settings.max_batch_size, pace=pace)


def warm(
    settings: Settings,
    models: ModelStore,
    executor: Executor,
    content_filter: ContentFilter,
    around: Surroundings = NOTHING_AROUND,
) -> Serving:
    """A worker's parts once each of its models has predicted; raises ModelNotReady where one cannot."""
    if not models.loaded:
        return Serving({}, None)
    predictors = {}
    for held in models:
        predictor = Predictor(
            runtime=held.current,
            executor=executor,
            content_filter=content_filter,
            most_rows=settings.max_rows,
            features=around.features.of_model(held.metadata.inputs),
            prediction_log=around.prediction_log,
        )
        predictor.warm_up()
        predictors[held.metadata.name, held.metadata.version] = predictor
    return Serving(predictors, models.default.metadata if models.default is not None else None)


def tell_metrics(models: ModelStore) -> None:
    """In the process that serves them: another's word of them would stay."""
    for held in models:
        model = held.current.metadata
        metrics.MODEL_INFO.labels(model.name, model.version, model.sha256, model.platform, model.acceleration).set(1)
