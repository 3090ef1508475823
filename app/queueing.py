"""From the settings to the queue of background jobs that they name."""

from app.jobs import open_queue
from app.jobs.base import JobQueue, Terms
from app.settings import Settings
from app.store_settings import JOBS_OFF


def make_queue(settings: Settings) -> JobQueue | None:
    """In the process that uses it; None where there is to be none."""
    if settings.jobs_url == JOBS_OFF:
        return None
    return open_queue(settings.jobs_url, terms_of(settings))


def terms_of(settings: Settings) -> Terms:
    return Terms(
        most_queued=settings.jobs_max_queued,
        most_attempts=settings.jobs_max_attempts,
        lease_seconds=settings.jobs_lease_seconds,
        backoff_seconds=settings.jobs_backoff_seconds,
        result_seconds=settings.jobs_result_seconds,
    )
