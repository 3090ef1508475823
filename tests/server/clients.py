"""Clients that ask in threads of their own while a test does something else."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor


@contextlib.contextmanager
def asking(*asks: Callable[[], object]) -> Iterator[None]:
    """Each asks again and again, in a thread of its own, until the block ends; what one raises is raised then."""
    enough = threading.Event()

    def ask_on(ask: Callable[[], object]) -> None:
        while not enough.is_set():
            ask()

    with ThreadPoolExecutor(len(asks)) as pool:
        clients = [pool.submit(ask_on, ask) for ask in asks]
        try:
            yield
        finally:
            enough.set()
            for client in clients:
                client.result()
