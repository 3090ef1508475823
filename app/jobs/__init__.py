"""One contract, three stores; only the one that is chosen is imported."""

from app.jobs.base import JobQueue, Terms

SQLITE = "sqlite:///"
REDIS = ("redis://", "rediss://", "unix://")
KAFKA = "kafka://"


def open_queue(url: str, terms: Terms) -> JobQueue:
    """
    The queue at `sqlite:///relative.db`, `sqlite:////absolute.db`, `redis://`, `rediss://`, `unix://`, or `kafka://`.

    Reaches for nothing yet, so that it may be called before a fork. Raises ValueError, which repeats nothing of the
    URL: it may hold a password.
    """
    if url.startswith(SQLITE):
        from app.jobs.sqlite_impl import SqliteQueue, path_of

        return SqliteQueue(path_of(url.removeprefix(SQLITE)), terms)
    if url.startswith(REDIS):
        return _in_redis(url, terms)
    if url.startswith(KAFKA):
        return _in_kafka(url, terms)
    raise ValueError(f"jobs are kept at none but {', '.join([SQLITE, *REDIS, KAFKA])}")


def _in_redis(url: str, terms: Terms) -> JobQueue:
    try:
        from app.jobs.redis_impl import RedisQueue
        from app.jobs.redis_server import server_of
    except ModuleNotFoundError as error:
        raise _missing("Redis", error) from error
    return RedisQueue(server_of(url), terms)


def _in_kafka(url: str, terms: Terms) -> JobQueue:
    try:
        from app.jobs.kafka_impl import KafkaQueue
        from app.jobs.kafka_server import server_of
    except ModuleNotFoundError as error:
        raise _missing("Kafka", error) from error
    return KafkaQueue(server_of(url), terms)


def _missing(store: str, error: ModuleNotFoundError) -> ValueError:
    reason = f"jobs in {store} need {error.name}, which is not installed; pip install -r requirements-stores.txt"
    return ValueError(reason)
