"""
librdkafka's mock cluster in a process of its own, told what to do by its standard input.

    python -m tests.outside.kafka_cluster BROKERS

It answers each line with one: first the addresses of its brokers, then `ok` to `topic NAME PARTITIONS`, `down BROKER`,
`up BROKER`, `forget TOPIC PARTITION OFFSET`, which deletes what is before, and `fail REQUEST CODE...`, by which the
next requests of that number of Kafka's protocol fail.
"""

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path

import confluent_kafka

ERROR_BYTES = 512


def library() -> ctypes.CDLL:
    """The one that confluent-kafka brings along and has loaded."""
    (path,) = (Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs").glob("librdkafka-*.so*")
    found = ctypes.CDLL(str(path))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_handle_mock_cluster"):
        getattr(found, name).restype = ctypes.c_void_p
    found.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return found


class Cluster:
    """Memory alone holds its records: 5 MiB of each partition, from the newest backwards."""

    def __init__(self, brokers: int) -> None:
        self._library = rdkafka = library()
        error = ctypes.create_string_buffer(ERROR_BYTES)
        configuration = ctypes.c_void_p(rdkafka.rd_kafka_conf_new())
        for name, value in (("test.mock.num.brokers", str(brokers)), ("log_level", "2")):
            assert rdkafka.rd_kafka_conf_set(configuration, name.encode(), value.encode(), error, ERROR_BYTES) == 0
        client = ctypes.c_void_p(rdkafka.rd_kafka_new(0, configuration, error, ERROR_BYTES))
        assert client.value, error.value
        self._cluster = ctypes.c_void_p(rdkafka.rd_kafka_handle_mock_cluster(client))
        # A group waits so long for more members before its first assignment, 3 s elsewhere.
        rdkafka.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, ctypes.c_int32(0))

    def addresses(self) -> str:
        return bytes(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)).decode()

    def topic(self, name: str, partitions: str) -> int:
        return int(self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), int(partitions), 1))

    def down(self, broker: str) -> int:
        return int(self._library.rd_kafka_mock_broker_set_down(self._cluster, ctypes.c_int32(int(broker))))

    def up(self, broker: str) -> int:
        return int(self._library.rd_kafka_mock_broker_set_up(self._cluster, ctypes.c_int32(int(broker))))

    def forget(self, topic: str, partition: str, offset: str) -> int:
        return int(
            self._library.rd_kafka_mock_partition_delete_records(
                self._cluster, topic.encode(), ctypes.c_int32(int(partition)), ctypes.c_int64(int(offset))
            )
        )

    def fail(self, request: str, *codes: str) -> int:
        numbers = (ctypes.c_int * len(codes))(*map(int, codes))
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(int(request)), ctypes.c_size_t(len(codes)), numbers
        )
        return 0


def main() -> None:
    cluster = Cluster(int(sys.argv[1]))
    orders: dict[str, Callable[..., int]] = {
        "topic": cluster.topic, "down": cluster.down, "up": cluster.up, "forget": cluster.forget,
        "fail": cluster.fail,
    }  # fmt: skip
    print(cluster.addresses(), flush=True)  # noqa: T201
    for line in sys.stdin:
        name, *values = line.split()
        code = orders[name](*values)
        print("ok" if code == 0 else f"error {code}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
