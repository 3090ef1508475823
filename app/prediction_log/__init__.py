"""What was predicted for whom, kept after the answer: the store that the operator's URL names."""

from collections.abc import Callable, Mapping

from app.prediction_log.base import NoPlace, NoPredictionLog, PredictionLog, Store, Terms

SETTING = "FORKCAST_PREDICTION_LOG_URL"


def prediction_log(url: str | None, terms: Terms) -> PredictionLog:
    """
    Off without a URL. Nothing is connected to yet.

    Raises ValueError for a place that there is not; what it says has no password in it.
    """
    if url is None:
        return NoPredictionLog()
    scheme = url.partition(":")[0]
    if scheme not in STORES:
        raise ValueError(f"{SETTING} must begin with one of {', '.join(f'{each}:' for each in STORES)}")
    from app.prediction_log.buffer import BufferedLog

    try:
        return BufferedLog(STORES[scheme](url, terms), terms)
    except ModuleNotFoundError as error:
        told = f"{SETTING} with {scheme}: takes {error.name}: .venv/bin/pip install -r requirements-stores.txt"
        raise ValueError(told) from None
    except NoPlace as error:
        raise ValueError(f"{SETTING} with {scheme}: {error}") from None
    except OSError as error:
        raise ValueError(f"{SETTING} with {scheme}: {error.strerror}: {error.filename}") from None
    except ValueError:
        # It may say what it has found there in place of a port.
        raise ValueError(f"{SETTING} with {scheme}: is no URL") from None


def _file(url: str, terms: Terms) -> Store:
    from app.prediction_log import file_impl

    return file_impl.store_at(url, terms)


def _sql(url: str, terms: Terms) -> Store:
    from app.prediction_log import sql_impl

    return sql_impl.store_at(url)


def _redis(url: str, terms: Terms) -> Store:
    from app.prediction_log import redis_impl

    return redis_impl.store_at(url)


STORES: Mapping[str, Callable[[str, Terms], Store]] = {
    "file": _file,
    "sqlite": _sql,
    "postgresql": _sql,
    "redis": _redis,
    "rediss": _redis,
}
