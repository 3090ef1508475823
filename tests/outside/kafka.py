"""A Kafka for tests: there is none of Debian's, so it is librdkafka's own mock cluster."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Kafka:
    """Its `url` has no prefix: topics are made by who first asks for them, with four partitions."""

    process: subprocess.Popen[str]
    url: str

    def tell(self, order: str) -> None:
        """As `tests.outside.kafka_cluster` says."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"


@contextlib.contextmanager
def kafka_cluster(brokers: int) -> Iterator[Kafka]:
    command = [sys.executable, "-m", "tests.outside.kafka_cluster", str(brokers)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Kafka(process, f"kafka://{process.stdout.readline().strip()}")
        finally:
            process.kill()
