"""One contract, two stores; only the one that is chosen is imported."""

from app.jobs.base import JobQueue, Terms

SQLITE = "sqlite:///"
REDIS = ("redis://", "rediss://", "unix://")


def open_queue(url: str, terms: Terms) -> JobQueue:
    """
    The queue at `sqlite:///relative.db`, `sqlite:////absolute.db`, or `redis://`, `rediss://`, `unix://`.

    Reaches for nothing yet, so that it may be called before a fork. Raises ValueError, which repeats nothing of the
    URL: it may hold a password.
    """
    if url.startswith(SQLITE):
        from app.jobs.sqlite_impl import SqliteQueue, path_of

        return SqliteQueue(path_of(url.removeprefix(SQLITE)), terms)
    if url.startswith(REDIS):
        try:
            from app.jobs.redis_impl import RedisQueue
            from app.jobs.redis_server import server_of
        except ModuleNotFoundError as error:
            reason = f"jobs in Redis need {error.name}, which is not installed; pip install -r requirements-stores.txt"
            raise ValueError(reason) from error
        return RedisQueue(server_of(url), terms)
    raise ValueError(f"jobs are kept at none but {SQLITE}, {', '.join(REDIS)}")
