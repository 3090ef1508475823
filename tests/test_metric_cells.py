"""Where metrics are counted: in memory, in files as client_python reads them, in one process and several."""

import contextlib
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.mmap_dict import mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.utils import floatToGoString

from app.metric_cells import Cell, Distribution, Tally
from app.metric_files import ENTRY_BYTES, HEAD_BYTES, INITIAL_BYTES, WORD, MetricFile

BOUNDS = (0.25, 1.0, 2.5)
MANY = 600
READER_SECONDS = 60


def key(label: str) -> str:
    return mmap_key("eaten", "eaten_total", ["what"], [label], "What was eaten.")


def entry_bytes(label: str) -> int:
    """Of an entry: its key with the key's length and padding, value and time."""
    return (4 + len(key(label).encode())) // WORD * WORD + WORD + ENTRY_BYTES


def add(file: MetricFile, label: str, amount: float) -> None:
    doubles, index = file.cell(key(label))
    doubles[index] += amount


def merged(*paths: Path) -> dict[tuple[str, str], float]:
    """What a scrape reads, by the sample's name and its label, if it has one."""
    metrics = MultiProcessCollector.merge([str(path) for path in paths])
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def eaten(*paths: Path) -> dict[str, float]:
    return {label: value for (_, label), value in merged(*paths).items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "counter_0.db"


@pytest.fixture
def written(path: Path) -> bytes:
    """The used part of a file that holds three values of one length."""
    file = MetricFile(str(path))
    for label in "abc":
        add(file, label, 2.0)
    file.close()
    return path.read_bytes()[: HEAD_BYTES + 3 * entry_bytes("a")]


def test_who_opens_the_file_again_goes_on_counting(path: Path) -> None:
    first = MetricFile(str(path))
    add(first, "apples", 2.0)
    add(first, "pears", 1.0)
    first.close()

    second = MetricFile(str(path))
    add(second, "pears", 0.5)
    add(second, "plums", 4.0)

    assert eaten(path) == {"apples": 2.0, "pears": 1.5, "plums": 4.0}


@pytest.mark.parametrize("label", ["", "é", "日本", "a" * 7, "x" * 3000], ids=["none", "é", "日本", "seven", "long"])
def test_a_key_of_any_length_is_read_as_it_was_written(path: Path, label: str) -> None:
    file = MetricFile(str(path))
    for number, each in enumerate((label, "after"), 1):
        add(file, each, number)

    assert eaten(path) == {label: 1.0, "after": 2.0}


def test_cells_made_before_the_file_grew_still_count(path: Path) -> None:
    file = MetricFile(str(path))
    early = file.cell(key("early"))
    for number in range(MANY):
        add(file, f"{number:0100}", 1.0)
    late = file.cell(key("late"))

    for doubles, index in (early, late):
        doubles[index] += 3.0

    read = eaten(path)
    assert path.stat().st_size > INITIAL_BYTES
    assert (len(read), read["early"], read["late"]) == (MANY + 2, 3.0, 3.0)
    assert sum(read.values()) == MANY + 6.0


@pytest.mark.parametrize("more", [1, 3, 7])
@pytest.mark.parametrize("size", [0, INITIAL_BYTES, INITIAL_BYTES + WORD])
def test_a_file_of_no_whole_number_of_words_is_counted_in(path: Path, written: bytes, size: int, more: int) -> None:
    content = written.ljust(size, b"\0")
    path.write_bytes(content + b"\0" * more)

    add(MetricFile(str(path)), "a", 1.0)

    assert eaten(path) == {"a": 3.0, "b": 2.0, "c": 2.0}


BROKEN_FILES = {
    "empty": lambda whole: b"",
    "shorter than its head": lambda whole: whole[:3],
    "cut within a key": lambda whole: whole[: HEAD_BYTES + 20],
    "cut behind an entry": lambda whole: whole[: HEAD_BYTES + entry_bytes("a")],
    "cut within a value": lambda whole: whole[: HEAD_BYTES + entry_bytes("a") - ENTRY_BYTES + 4],
    "cut before a value": lambda whole: whole[: HEAD_BYTES + entry_bytes("a") - ENTRY_BYTES],
    "zeros": lambda whole: bytes(1000),
    "a text": lambda whole: b"This is a text and no file of metrics." * 10,
    "used less than nothing": lambda whole: (-5).to_bytes(4, "little", signed=True) + whole[4:],
    "used less than its head": lambda whole: (5).to_bytes(4, "little") + whole[4:],
    "used not in words": lambda whole: (len(whole) - 4).to_bytes(4, "little") + whole[4:],
    "used more than it holds": lambda whole: (2**31 - 1).to_bytes(4, "little") + whole[4:],
    "a key of another": lambda whole: whole.replace(b'["eaten"', b"[[[[[[[["),
    "no UTF-8": lambda whole: whole.replace(b"What", b"\xff\xfe\xff\xfe"),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN_FILES)
def test_a_broken_file_keeps_neither_the_worker_from_counting_nor_the_scrape_from_reading_it(
    path: Path, written: bytes, broken: str
) -> None:
    path.write_bytes(BROKEN_FILES[broken](written))

    file = MetricFile(str(path))
    for label in ("d", "e"):
        add(file, label, 1.0)
    file.close()
    add(MetricFile(str(path)), "e", 1.0)

    read = eaten(path)
    assert (read["d"], read["e"]) == (1.0, 2.0)


class Interruptible(list[float]):
    """Doubles at whose reading another thread may go first."""

    def __getitem__(self, index: object) -> float:  # type: ignore[override]
        return super().__getitem__(index)  # type: ignore[index, no-any-return, call-overload]


@pytest.fixture
def eager_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_what_several_threads_count_in_one_cell_is_all_there(eager_threads: None) -> None:
    cell = Cell("counter", "eaten", "eaten_total", [], [], "What was eaten.")
    cell.doubles = Interruptible([0.0])

    def count() -> None:
        for _ in range(2000):
            cell.inc(1.0)

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert cell.get() == 6000.0


def test_outside_a_server_what_is_counted_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    registry = CollectorRegistry()
    counter = Counter("in_memory_total", "Counted.", ["what"], registry=registry)
    gauge = Gauge("in_memory_now", "Held.", registry=registry, multiprocess_mode="livesum")

    counter.labels("apples").inc(2)
    Tally(Cell.of("in_memory_total", "apples")).inc()
    gauge.set(7)
    gauge.dec(3)

    assert registry.get_sample_value("in_memory_total", {"what": "apples"}) == 3.0
    assert registry.get_sample_value("in_memory_now") == 4.0
    assert list(tmp_path.iterdir()) == []


def histogram(name: str, registry: CollectorRegistry) -> tuple[Histogram, Distribution]:
    made = Histogram(name, "Observed.", ["of"], buckets=BOUNDS, registry=registry)
    made.labels("x")
    buckets = [Cell.of(f"{name}_bucket", "x", floatToGoString(bound)) for bound in (*BOUNDS, math.inf)]
    return made, Distribution(Cell.of(f"{name}_sum", "x"), buckets, BOUNDS)


def samples(name: str, registry: CollectorRegistry) -> list[float | None]:
    bounds = [floatToGoString(bound) for bound in (*BOUNDS, math.inf)]
    buckets = [registry.get_sample_value(f"{name}_bucket", {"of": "x", "le": bound}) for bound in bounds]
    return [*buckets, *(registry.get_sample_value(f"{name}_{part}", {"of": "x"}) for part in ("count", "sum"))]


AROUND_THE_BOUNDS = [near for bound in BOUNDS for near in (math.nextafter(bound, 0), bound, math.nextafter(bound, 9))]


@pytest.mark.parametrize("amount", [0.0, -1.0, *AROUND_THE_BOUNDS, 1e9, math.inf, 1, 0.5])
def test_a_value_falls_into_the_bucket_that_client_python_puts_it_in(amount: float) -> None:
    registry = CollectorRegistry()
    theirs, _ = histogram("theirs", registry)
    _, ours = histogram("ours", registry)

    for _ in range(2):
        theirs.labels("x").observe(amount)
        ours.observe(amount)

    assert samples("ours", registry) == samples("theirs", registry)
    assert samples("ours", registry)[-2] == 2.0


def in_a_process(folder: Path, code: str) -> "subprocess.Popen[str]":
    """One that counts in `folder`; what is counted there is of the whole process, and so not for this one."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", f"from app import metrics\n{code}"]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def told_by(folder: Path, code: str) -> str:
    with in_a_process(folder, code) as process:
        told, _ = process.communicate(timeout=READER_SECONDS)
    assert process.returncode == 0
    return told


WORK = """
metrics.RELOADS.labels("success").inc(3)
metrics.in_flight().inc(5)
metrics.become(2)
metrics.RELOADS.labels("success").inc()
metrics.of_request("/predict", "POST", 200).answered(0.25)
metrics.of_request("/predict", "POST", 200).refused()
metrics.of_model("m").predicted(0.3, 4)
metrics.of_model("m").waited(0.0)
metrics.in_flight().inc()
metrics.worker_requests().inc()
metrics.SHED.labels("full").inc(2)
print(metrics.render()[0].decode())
"""


def value(text: str, series: str) -> float:
    [line] = [line for line in text.splitlines() if line.rpartition(" ")[0] == series]
    return float(line.rpartition(" ")[2])


def test_the_arbiter_and_each_worker_count_for_themselves_and_who_takes_over_a_slot_goes_on(tmp_path: Path) -> None:
    first, second = (told_by(tmp_path, WORK) for _ in range(2))

    for times, text in ((1, first), (2, second)):
        assert value(text, 'forkcast_model_reloads_total{outcome="success"}') == 4.0 * times
        assert value(text, 'forkcast_http_requests_total{method="POST",route="/predict",status="200"}') == 2.0 * times
        for seconds, count in (("0.1", 0.0), ("0.25", 1.0), ("+Inf", 1.0)):
            bucket = f'forkcast_http_request_duration_seconds_bucket{{le="{seconds}",route="/predict"}}'
            assert value(text, bucket) == count * times
        assert value(text, 'forkcast_inference_duration_seconds_sum{model="m"}') == pytest.approx(0.3 * times)
        assert value(text, 'forkcast_batch_size_bucket{le="4.0",model="m"}') == times
        assert value(text, 'forkcast_queue_wait_seconds_count{model="m"}') == times
        assert value(text, 'forkcast_worker_requests_total{slot="2"}') == times
        assert value(text, 'forkcast_shed_requests_total{reason="full"}') == 2.0 * times
        assert value(text, "forkcast_in_flight_requests") == 6.0 * times
        assert value(text, "forkcast_metrics_files_unreadable") == 0.0
    assert {path.stem.rpartition("_")[2] for path in tmp_path.iterdir()} == {"arbiter", "2"}


def test_a_live_gauge_of_a_worker_that_ended_is_gone_and_its_counters_are_not(tmp_path: Path) -> None:
    text = told_by(tmp_path, f"{WORK}\nmetrics.forget_live_gauges(2)\nprint('#####', metrics.render()[0].decode())")

    after = text.partition("#####")[2]
    assert value(after, "forkcast_in_flight_requests") == 5.0
    assert value(after, 'forkcast_shed_requests_total{reason="full"}') == 2.0


def test_a_worker_whose_files_are_broken_counts_and_the_scrape_answers(tmp_path: Path) -> None:
    for kind in ("counter", "histogram", "gauge_livesum"):
        (tmp_path / f"{kind}_2.db").write_bytes(b"This is a text and no file of metrics.")
    (tmp_path / "counter_3.db").write_bytes(b"")

    text = told_by(tmp_path, WORK)

    assert value(text, 'forkcast_worker_requests_total{slot="2"}') == 1.0
    assert value(text, 'forkcast_queue_wait_seconds_count{model="m"}') == 1.0
    assert value(text, "forkcast_metrics_files_unreadable") == 1.0


COUNT_AND_GROW = """
import sys
metrics.become(0)
print("counting", flush=True)
for number in range(400):
    metrics.WORKER_REQUESTS.labels(str(number).zfill(100))
    for _ in range(100):
        metrics.worker_requests().inc()
        metrics.SHED.labels("full").inc()
    if number % 50 == 49:
        sys.stdin.readline()
"""


def test_a_scrape_while_a_worker_counts_sees_no_value_go_back_and_none_that_was_never_there(tmp_path: Path) -> None:
    requests, shed = ("forkcast_worker_requests_total", "0"), ("forkcast_shed_requests_total", "full")
    former, scrapes = {requests: 0.0, shed: 0.0}, 0
    with in_a_process(tmp_path, COUNT_AND_GROW) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        while process.poll() is None:
            read = merged(tmp_path / "counter_0.db")
            for series, before in former.items():
                assert before <= read.get(series, 0.0) <= 40_000.0
                assert read.get(series, 0.0).is_integer()
                former[series] = read.get(series, 0.0)
            assert {name for name, _ in read} <= {requests[0], shed[0], "forkcast_model_reloads_total"}
            scrapes += 1
            # It goes on after each eighth of its work once there was another scrape.
            with contextlib.suppress(BrokenPipeError):
                os.write(process.stdin.fileno(), b"\n")

    last = merged(tmp_path / "counter_0.db")
    assert scrapes > 3
    assert (last[requests], last[shed]) == (40_000.0, 40_000.0)
    assert (tmp_path / "counter_0.db").stat().st_size > INITIAL_BYTES
