"""Which requests are about background jobs, by their addresses."""

QUEUEING = "/predict_background"
JOBS = "/jobs/"


def queues(path: str) -> bool:
    """Whether what comes is only put by for later, so that it may be large."""
    return path.endswith(QUEUEING)


def concerns_jobs(path: str) -> bool:
    return path.startswith(JOBS) or queues(path)
