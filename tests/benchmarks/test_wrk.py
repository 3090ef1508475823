import pytest

from benchmarks.failures import GeneratorSaturated, RequestsFailed, UnreadableOutput
from benchmarks.wrk import Load, parse, refuse_saturated

GOOD = """\
Running 10s test @ http://127.0.0.1:8000/predict
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.35ms    1.01ms  20.00ms   80.00%
    Req/Sec     6.80k   500.00     7.50k    70.00%
  Latency Distribution
     50%  890.00us
     75%    2.60ms
     90%    3.00ms
     99%    1.20s 
  13500 requests in 10.01s, 2.50MB read
Requests/sec:   1348.65
Transfer/sec:      0.25MB
"""


def test_the_numbers_are_read_in_seconds() -> None:
    assert parse(GOOD) == Load(
        requests=13500, seconds=10.01, requests_per_second=1348.65, p50_seconds=pytest.approx(0.00089), p99_seconds=1.2
    )


@pytest.mark.parametrize(
    "failure", ["Non-2xx or 3xx responses: 1", "Socket errors: connect 0, read 1, write 0, timeout 0"]
)
def test_one_failed_request_fails_the_run(failure: str) -> None:
    output = GOOD.replace("Requests/sec:", f"  {failure}\nRequests/sec:")

    with pytest.raises(RequestsFailed, match=failure):
        parse(output)


@pytest.mark.parametrize("line", ["50%", "99%", "requests in", "Requests/sec"])
def test_a_missing_number_is_an_exception(line: str) -> None:
    output = "\n".join(each for each in GOOD.splitlines() if line not in each)

    with pytest.raises(UnreadableOutput):
        parse(output)


@pytest.mark.parametrize("output", ["", "command not found", GOOD.replace("1348.65", "-nan"), GOOD[:100]])
def test_garbage_is_an_exception(output: str) -> None:
    with pytest.raises(UnreadableOutput):
        parse(output)


def test_a_load_generator_that_was_busy_all_the_time_may_have_been_the_limit() -> None:
    refuse_saturated(9.0, seconds=10.0)
    with pytest.raises(GeneratorSaturated, match=r"9\.6 s of 10\.0 s"):
        refuse_saturated(9.6, seconds=10.0)


def test_no_requests_are_no_measurement() -> None:
    with pytest.raises(UnreadableOutput, match="measured nothing"):
        parse(GOOD.replace("13500 requests", "0 requests"))
