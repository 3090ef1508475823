import contextlib

import pytest

from benchmarks.failures import RequestsFailed
from benchmarks.served import Served, check_counts, parse

EXPOSITION = """\
# TYPE forkcast_worker_requests_total counter
forkcast_worker_requests_total{slot="0"} 30.0
forkcast_worker_requests_total{slot="1"} 10.0
# TYPE forkcast_http_requests_total counter
forkcast_http_requests_total{route="/predict",method="POST",status="200"} 36.0
forkcast_http_requests_total{route="/metrics",method="GET",status="200"} 4.0
# TYPE forkcast_batch_size histogram
forkcast_batch_size_bucket{model="m",le="+Inf"} 9.0
forkcast_batch_size_count{model="m"} 9.0
forkcast_batch_size_sum{model="m"} 36.0
"""


def counted(statuses: dict[str, float]) -> Served:
    return Served({"0": 1}, statuses, 1, 1)


def test_the_counters_are_read() -> None:
    served = parse(EXPOSITION)

    assert served == Served({"0": 30, "1": 10}, {"200": 36}, 9, 36)
    assert served.busiest_share == 0.75
    assert served.mean_batch_size == 4


def test_requests_of_one_row_and_of_many_are_counted_together() -> None:
    more = 'forkcast_http_requests_total{route="/predict_batch",method="POST",status="200"} 5.0\n# TYPE forkcast_batch'

    assert parse(EXPOSITION.replace("# TYPE forkcast_batch", more)).by_status == {"200": 41}


def test_only_what_came_since_counts() -> None:
    earlier = Served({"0": 10}, {"200": 6}, 3, 6)

    assert parse(EXPOSITION).since(earlier) == Served({"0": 20, "1": 10}, {"200": 30}, 6, 30)


@pytest.mark.parametrize("good", [100, 132])
def test_one_answer_more_on_each_connection_is_expected(good: int) -> None:
    check_counts(counted({"200": good}), answered=100, connections=32)


@pytest.mark.parametrize("statuses", [{"200": 99}, {"200": 133}, {"200": 100, "204": 1}, {"200": 100, "302": 1}, {}])
def test_a_server_that_counted_otherwise_fails_the_run(statuses: dict[str, float]) -> None:
    with pytest.raises(RequestsFailed):
        check_counts(counted(statuses), answered=100, connections=32)


def test_connections_that_were_refused_are_counted_with_the_requests_that_were() -> None:
    refused = [
        f'forkcast_http_requests_total{{route="{route}",method="{method}",status="{status}"}} 5\n'
        for route, method, status in (
            ("unmatched", "other", "503"),
            ("unmatched", "other", "400"),
            ("/healthz", "GET", "200"),
        )
    ]

    statuses = parse(EXPOSITION.replace("# TYPE forkcast_batch", "".join(refused) + "# TYPE forkcast_batch")).by_status

    assert statuses == parse(EXPOSITION).by_status | {"503": 5}


@pytest.mark.parametrize(("read", "in_all", "agree"), [(5, 5, True), (3, 5, True), (3, 4, False), (6, 9, False)])
def test_a_server_refused_what_was_read_as_refused_and_no_more_than_was_given_up(
    read: int, in_all: int, agree: bool
) -> None:
    during = Served({"0": 15}, {"200": 10, "503": 5}, 10, 10)

    with contextlib.nullcontext() if agree else pytest.raises(RequestsFailed):
        check_counts(during, answered=10, connections=0, refused=read, most_refused=in_all)


def test_answers_from_the_cache_fail_the_run() -> None:
    lookups = 'forkcast_prediction_cache_lookups_total{outcome="hit"} %s\n'
    header = "# TYPE forkcast_prediction_cache_lookups_total counter\n"

    assert parse(EXPOSITION + header + lookups % "0.0") == parse(EXPOSITION)
    with pytest.raises(RequestsFailed):
        parse(EXPOSITION + header + lookups % "1.0")
    assert parse(EXPOSITION + header + lookups % "1.0", cached=True).hit == 1
