"""The generator's own checks can be lost."""

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.engine.figures import Figure
from benchmarks.failures import RequestsFailed, UnreadableOutput
from benchmarks.load_generator.calibration.__main__ import main
from benchmarks.load_generator.calibration.against_httperf import bin_percentile, figure, read
from benchmarks.load_generator.calibration.ceiling import closed_figure, fresh_figure
from benchmarks.load_generator.calibration.null_server import ANSWER, SYSTEM, null_server
from benchmarks.load_generator.calibration.questions import asking

HTTPERF = """\
Maximum connect burst length: 1

Connection lifetime histogram (time in ms):
             0.5 1
             :
            11.5 7
           101.5 2

Total: connections 10 requests 10 replies 10 test-duration 3.991 s

Reply status: 1xx=0 2xx=10 3xx=0 4xx=0 5xx=0
"""


def test_the_histogram_of_httperf_is_read_in_seconds() -> None:
    bins = read(HTTPERF, 10)

    assert bins == {0.0005: 1, 0.0115: 7, 0.1015: 2}
    assert [bin_percentile(bins, percent) for percent in (10, 50, 80, 81, 100)] == [
        0.0005, 0.0115, 0.0115, 0.1015, 0.1015,
    ]  # fmt: skip


@pytest.mark.parametrize("statuses", ["2xx=9 3xx=0 4xx=0 5xx=1", "2xx=9 3xx=0 4xx=0 5xx=0", "2xx=100 3xx=0"])
def test_one_request_that_httperf_saw_fail_fails_the_run(statuses: str) -> None:
    with pytest.raises(RequestsFailed, match=statuses):
        read(HTTPERF.replace("2xx=10 3xx=0 4xx=0 5xx=0", statuses), 10)


@pytest.mark.parametrize(
    "output", ["", HTTPERF[:200], HTTPERF.replace("11.5 7", "11.5 6"), HTTPERF.replace("lifetime histogram", "")]
)
def test_what_httperf_does_not_say_is_an_exception(output: str) -> None:
    with pytest.raises(UnreadableOutput):
        read(output, 10)


@pytest.mark.parametrize(("ours", "holds"), [(0.109, True), (0.111, False), (0.091, True), (0.089, False)])
def test_percentiles_that_are_a_tenth_apart_do_not_agree(ours: float, holds: bool) -> None:
    assert figure(99, ours, 0.1).holds is holds


@pytest.mark.skipif(shutil.which("nginx", path=SYSTEM) is None, reason="nginx is not installed")
def test_the_ceiling_is_measured_against_nginx(tmp_path: Path) -> None:
    with null_server(tmp_path) as port:
        asked = asking(port, tmp_path, answer=ANSWER, seconds=0.2)
        figures = [closed_figure(asked, 2), fresh_figure(asked)]

    assert all("requests/s, p50 " in figure.measured for figure in figures)


@pytest.mark.parametrize(("holds", "status"), [(True, 0), (None, 0), (False, 1)])
def test_a_check_that_does_not_hold_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text_artifact: Path, holds: bool | None, status: int
) -> None:
    monkeypatch.setenv("MODEL_URI", str(text_artifact))
    checks = {"one": lambda folder, seconds: [Figure("a thing", "much", "little", holds)]}
    out = tmp_path / "result.json"

    assert main(["--out", str(out)], checks) == status
    assert json.loads(out.read_text())["figures"][0]["holds"] is holds
