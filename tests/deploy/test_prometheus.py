"""The Prometheus configuration, against a real Prometheus that scrapes a real server."""

import concurrent.futures
import http.client
import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest

from app import metrics
from app.settings import ROOT, Settings
from app.worker_figures import of_workers
from benchmarks.server import free_port

CONFIGURATION = ROOT / "deploy/prometheus/prometheus.yml"
METRIC = re.compile(r"\bforkcast_[a-z_]+")

needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def post(url: str, body: object) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=10)
    return answer


def predict(address: str) -> str:
    """Ask on a connection of its own, and return the slot of the worker that answered."""
    with post(f"http://{address}/predict", {"features": [1.5]}) as answer:
        assert json.load(answer)["label"] == "plus"
        return str(answer.headers["x-worker"])


def query(address: str, expression: str) -> list[float]:
    """The values that Prometheus has for the expression; none while it does not answer yet."""
    url = f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return [float(series["value"][1]) for series in json.load(answer)["data"]["result"]]
    except (OSError, http.client.HTTPException):
        return []


@needs_promtool
def test_promtool_takes_the_configuration():
    checked = subprocess.run(["promtool", "check", "config", CONFIGURATION], capture_output=True, text=True)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_configuration_scrapes_where_the_server_listens_by_default():
    host, port = (Settings.model_fields[field].default for field in ("ops_host", "ops_port"))

    assert f'"{host}:{port}"' in CONFIGURATION.read_text()


@needs_prometheus
def test_a_real_prometheus_counts_what_the_client_sent_to_two_workers(server, start, tmp_path):
    slots: list[str] = []

    def both_workers_have_answered() -> bool:
        slots.extend(clients.map(predict, [server.address] * 50))
        return set(slots) == {"0", "1"}

    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        server.program.wait_for(both_workers_have_answered)
    configuration = tmp_path / "prometheus.yml"
    shipped = CONFIGURATION.read_text()
    configuration.write_text(shipped.replace("127.0.0.1:8001", server.ops_address).replace("15s", "1s"))
    address = f"127.0.0.1:{free_port()}"

    prometheus = start(
        [
            "prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={address}",
        ],
        dict(os.environ),
    )  # fmt: skip

    counted = 'forkcast_http_requests_total{job="forkcast", route="/predict", status="200"}'
    prometheus.wait_for(lambda: query(address, counted))
    assert query(address, counted) == [len(slots)]
    assert query(address, "up") == [1]
    assert query(address, 'forkcast_workers{role="serve"}') == [2]


@needs_promtool
def test_promtool_has_no_complaint_about_the_exposition(server):
    # Not /predict, whose requests another test counts.
    post(f"http://{server.address}/predict_batch", {"instances": [[1.5]]}).close()
    with urllib.request.urlopen(f"http://{server.ops_address}/metrics", timeout=10) as answer:
        exposition = answer.read()

    checked = subprocess.run(["promtool", "check", "metrics"], input=exposition, capture_output=True)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    assert b"forkcast_batch_size_count" in exposition
    assert b"forkcast_worker_cpu_seconds_total" in exposition


def test_files_for_deployment_name_only_metrics_that_exist():
    texts = [path.read_text() for path in (ROOT / "deploy").rglob("*") if path.is_file() and path.suffix != ".pyc"]

    named = {re.sub("_(bucket|sum|count)$", "", name) for text in texts for name in METRIC.findall(text)}

    assert named <= set(METRIC.findall(metrics.render(of_workers([], {}))[0].decode()))
