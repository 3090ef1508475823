"""What schemathesis makes of /openapi.json, against a real server."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.conftest import StartServers, serving
from tests.server.running_server import Server

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXAMPLES = 25
# No schema can say that a tensor's data are as many as its shape tells, or that a form has its columns.
CONFIGURATION = """
[[operations]]
include-path-regex = "/infer$|^/invocations$"
warnings = false
[operations.checks]
positive_data_acceptance.enabled = false

# A key that came before, with another body.
[[operations]]
include-path-regex = "_background$"
[operations.checks]
positive_data_acceptance.enabled = false

# What is cancelled can still be asked.
[[operations]]
include-path-regex = "^/jobs/"
[operations.checks]
use_after_free.enabled = false

# Without a key each is refused.
[[operations]]
include-path-regex = "/(un)?load$"
warnings = false
"""


@pytest.fixture(scope="module")
def servers(
    start_servers: StartServers, text_model: Path, table_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Server]:
    folder = tmp_path_factory.mktemp("jobs")
    models = {"text": text_model, "table": table_model}
    wanted = {
        name: serving(model, workers=1, FORKCAST_JOBS_URL=f"sqlite:///{folder / name}.db")
        for name, model in models.items()
    }
    return start_servers(**wanted)


@pytest.mark.parametrize("name", ["text", "table"])
def test_schemathesis_finds_no_5xx_and_no_untruth_in_the_document(
    servers: dict[str, Server], name: str, tmp_path: Path
) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    address = f"http://127.0.0.1:{servers[name].port}/openapi.json"
    options = ["--max-examples", str(EXAMPLES), "--suppress-health-check", "all"]

    run = subprocess.run(
        [SCHEMATHESIS, "run", address, *options, "--generation-database", "none", "--no-color"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert run.returncode == 0, run.stdout
    assert "No issues found" in run.stdout, run.stdout
