"""What became of each request, kept as cheaply as it comes: all reckoning waits until the window is over."""

from array import array

# Beside the statuses of answers.
TIMEOUT, BROKEN, NOT_CONNECTED = -1, -2, -3
NO_WORKER = -1
REQUEST_ID = b',"request_id":"'


class Request:
    """One that is under way; `scheduled` and `sent` are moments of `time.monotonic`."""

    __slots__ = ("body", "scheduled", "sent")

    def __init__(self, body: int, scheduled: float, sent: float) -> None:
        self.body = body
        self.scheduled = scheduled
        self.sent = sent


class Records:
    """One row for each request that came to an end, in that order, and each distinct answer to each body."""

    def __init__(self) -> None:
        self.scheduled = array("d")
        self.sent = array("d")
        self.done = array("d")
        self.status = array("h")
        self.worker = array("h")
        self.workers: dict[bytes, int] = {}
        self.answers: set[tuple[int, bytes]] = set()

    def answered(self, request: Request, done: float, *, status: int, worker: bytes | None, answer: bytes) -> None:
        known = NO_WORKER if worker is None else self.workers.setdefault(worker, len(self.workers))
        self._add(request, done, status, known)
        if status == 200:
            self.answers.add((request.body, without_request_id(answer)))

    def failed(self, request: Request, done: float, status: int) -> None:
        self._add(request, done, status, NO_WORKER)

    def _add(self, request: Request, done: float, status: int, worker: int) -> None:
        self.scheduled.append(request.scheduled)
        self.sent.append(request.sent)
        self.done.append(done)
        self.status.append(status)
        self.worker.append(worker)


def without_request_id(answer: bytes) -> bytes:
    """The same bytes for each answer to one body, where the request's id is the last thing in it."""
    cut = answer.rfind(REQUEST_ID)
    if cut < 0:
        return answer
    last = answer[cut + len(REQUEST_ID) :]
    return answer[:cut] + b"}" if last.endswith(b'"}') and last.count(b'"') == 1 else answer
