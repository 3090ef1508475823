"""`make check-config`: the settings in force, where each comes from, and what will be started."""

import re
import sys

from pydantic import SecretStr

from app.environment import SettingsInvalid, load_settings, sources
from app.processes.cores import usable_cores, usable_memory
from app.settings import Settings, environment_name

# Of a URL.
CREDENTIALS = re.compile(r"://[^/@]*@")


def lines(settings: Settings, origins: dict[str, str]) -> list[str]:
    """One line a setting, then what was found on this machine and what will run; secrets are not shown."""
    shown = {field: getattr(settings, field) for field in Settings.model_fields}
    table = [
        f"{environment_name(field):<36} {_shown(value):<40} {origins[field]}" for field, value in sorted(shown.items())
    ]
    cores, memory = usable_cores(), usable_memory()
    workers = settings.web_concurrency or cores
    return [
        *table,
        "",
        f"cores this process may use: {cores}",
        f"memory this process may use: {'unknown' if memory is None else f'{memory / 2**30:.1f} GiB'}",
        f"will start: {workers} serving workers on {settings.host}:{settings.port}, execution {settings.execution}",
        *[f"will speak gRPC: those on {settings.host}:{port}" for port in settings.grpc_ports],
        f"will start: an ops worker on {settings.ops_host}:{settings.ops_port}",
        *["will start: a worker that runs background jobs"] * settings.runs_jobs,
    ]


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return "set" if isinstance(value, SecretStr) else CREDENTIALS.sub("://…@", str(value))


def main() -> int:
    try:
        settings = load_settings()
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join(lines(settings, sources())) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
