"""What surrounds the inference in each worker and waits on others: features before, the log after, jobs behind."""

from dataclasses import dataclass, fields

from app.features import Source, make_provision
from app.features.defaults import read_defaults
from app.features.joining import Policy
from app.features.provision import NoProvision, Provision
from app.features.shapes import shape_of
from app.jobs.base import JobQueue
from app.model_store import ModelStore
from app.prediction_log import prediction_log
from app.prediction_log.base import NoPredictionLog, PredictionLog, Terms
from app.queueing import make_queue
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    Made before the fork, where nothing is opened yet; `open` and `close` are called in each worker.

    Between them requests are predicted; what is predicted before `open` ends is not logged.
    """

    features: Provision
    prediction_log: PredictionLog
    jobs: JobQueue | None

    async def open(self, models: ModelStore) -> None:
        if models.loaded:
            await self.features.open(models.newest[0].metadata.inputs)
        self.prediction_log.start()

    async def close(self, by: float) -> None:
        """Until that time of the monotonic clock, at the latest."""
        try:
            await self.prediction_log.close(by)
        finally:
            await self.features.close()
            if self.jobs is not None:
                await self.jobs.close()


NOTHING_AROUND = Surroundings(NoProvision(), NoPredictionLog(), None)


def make_surroundings(settings: Settings, models: ModelStore) -> Surroundings:
    """Raises ValueError or OSError for stores that there cannot be."""
    return Surroundings(make_features(settings, models), make_prediction_log(settings), make_queue(settings))


def make_features(settings: Settings, models: ModelStore) -> Provision:
    if settings.features_url is None:
        return NOTHING_AROUND.features
    source = Source(
        url=settings.features_url.get_secret_value(),
        named=settings.features_source,
        key=settings.features_key,
        key_type=settings.features_key_type,
        attempts=settings.features_attempts,
        connections=settings.features_connections,
        timeout_seconds=settings.features_timeout_seconds,
        most_bytes=settings.features_max_bytes,
    )
    shapes = [shape_of(held.metadata.inputs) for held in models]
    path = settings.features_defaults_file
    policy = Policy(
        timeout_seconds=settings.features_timeout_seconds,
        on_unknown=settings.features_on_unknown,
        on_failure=settings.features_on_failure,
        defaults={} if path is None else read_defaults(path, shapes),
    )
    return make_provision(source, policy)


def make_prediction_log(settings: Settings) -> PredictionLog:
    url = settings.prediction_log_url
    terms = Terms(**{each.name: getattr(settings, f"prediction_log_{each.name}") for each in fields(Terms)})
    return prediction_log(None if url is None else url.get_secret_value(), terms)
