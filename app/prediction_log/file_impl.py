"""The prediction log in files of JSON lines, one file for each worker."""

import asyncio
import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import structlog

from app import metrics
from app.file_identity import file_identity, open_file_identity
from app.prediction_log.base import NoPlace, Terms
from app.prediction_log.document import Document

log = structlog.stdlib.get_logger("forkcast")

# The log's readers are the group's, as far as the umask lets them.
MODE = 0o640
TAIL_BYTES = 2**16


def store_at(url: str, terms: Terms) -> "FileStore":
    """Of `file:///srv/log/predictions.jsonl`, or `file:var/predictions.jsonl`; raises NoPlace or OSError."""
    parts = urlsplit(url, allow_fragments=False)
    path = Path(unquote(parts.path))
    if not path.name or parts.query or parts.netloc not in ("", "localhost"):
        raise NoPlace("names no file: file:relative or file:///absolute")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
        raise NoPlace(f"cannot write to the folder {path.parent}")
    return FileStore(path, max_bytes=terms.max_bytes, files=terms.files)


class FileStore:
    """
    `predictions.jsonl` stands for `predictions.0.jsonl` and so on: a worker writes to the file of its slot, which no
    other living one has, so that lines never mix and the rotation has one owner. A process without a slot takes the
    first of `predictions.alone-1.jsonl` and so on that nobody else writes to.

    A file that would grow beyond `max_bytes` becomes `….jsonl.1`, that one `.2`, up to `files`. One that somebody else
    has moved or removed is made anew; one that was emptied, or that cannot be moved, is written on.
    """

    name = "file"

    def __init__(
        self, path: Path, *, max_bytes: int, files: int, slot: Callable[[], str | None] = metrics.worker_slot
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._files = files
        self._slot = slot
        self._alone = 1
        self._stuck = False
        self._file: int | None = None
        self._thread: ThreadPoolExecutor | None = None

    @property
    def path(self) -> Path:
        """Of this process's file."""
        own = self._slot() or f"alone-{self._alone}"
        return self._path.with_name(f"{self._path.stem}.{own}{self._path.suffix or '.jsonl'}")

    async def write(self, documents: Sequence[Document]) -> None:
        lines = b"".join([document.line for document in documents])
        # The disk may make it wait.
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="prediction-log")
        await asyncio.get_running_loop().run_in_executor(self._thread, self._append, lines)

    async def close(self) -> None:
        if self._thread is not None:
            thread, self._thread = self._thread, None
            closing = asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown(wait=False)
            await closing

    def _append(self, lines: bytes) -> None:
        file = self._own_file()
        before = os.fstat(file).st_size
        if before and before + len(lines) > self._max_bytes:
            self._rotate()
            file = self._own_file()
            before = os.fstat(file).st_size
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(file, rest) :]
        except OSError:
            # A part of a line would spoil the next one.
            with contextlib.suppress(OSError):
                os.ftruncate(file, before)
            self._close()
            raise

    def _own_file(self) -> int:
        if self._file is not None and file_identity(self.path) != open_file_identity(self._file):
            self._close()
        if self._file is None:
            self._file = self._open_free()
        return self._file

    def _open_free(self) -> int:
        while True:
            try:
                return self._open()
            except BlockingIOError:
                if self._slot() is not None:
                    raise
                self._alone += 1

    def _open(self) -> int:
        """Without what a killed worker began to write; raises OSError where another server writes to it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, MODE)
        try:
            _lock(file)
            end = _end_of_lines(file)
            if end < os.fstat(file).st_size:
                os.ftruncate(file, end)
        except OSError:
            os.close(file)
            raise
        return file

    def _rotate(self) -> None:
        """The oldest goes only where no number is free. A file that cannot be moved grows on."""
        numbers = range(1, self._files)
        free = next((each for each in numbers if not self._numbered(each).exists()), self._files)
        try:
            for number in range(free - 1, -1, -1):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self._numbered(number), self._numbered(number + 1))
        except OSError as error:
            if not self._stuck:
                log.warning("prediction log grows on", file=str(self.path), reason=error.strerror)
            self._stuck = True
        else:
            self._close()
            self._stuck = False

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)


def _lock(file: int) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(errno.EAGAIN, "Another server writes to this file") from None


def _end_of_lines(file: int) -> int:
    """Where the last whole line ends."""
    stop = os.fstat(file).st_size
    while stop:
        start = max(0, stop - TAIL_BYTES)
        newline = os.pread(file, stop - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        stop = start
    return 0
