"""Tiny results with round numbers."""

from typing import Any

from benchmarks.result_file import Document

ENVIRONMENT: dict[str, Any] = {
    "date": "2026-01-02T03:04:05+00:00",
    "commit": "abc123",
    "dirty": False,
    "code": "c0de",
    "python": "3.11.7",
    "libraries": {"gunicorn": "27.0.1", "numpy": "2.4.6"},
    "kernel": "6.1",
    "cpu_model": "Example CPU",
    "cores": 2,
    "load_average": [0.0, 0.0, 0.0],
    "load_generator": "wrk 4.1.0",
    "model": {"name": "sentiment", "version": "1"},
    "settings": {},
}


def repetition(rate: float) -> dict[str, Any]:
    return {
        "started": "2026-01-02T03:04:05+00:00",
        "ended": "2026-01-02T03:04:25+00:00",
        "calibration_seconds": [0.1, 0.1],
        "warm_up_requests_per_second": rate,
        "requests": 1_000,
        "seconds": 10.0,
        "requests_per_second": rate,
        "p50_seconds": 0.01,
        "p99_seconds": 0.02,
        "server_cpu_seconds": 1.0,
        "generator_cpu_seconds": 1.0,
        "served_by_worker": {"0": rate},
        "busiest_share": 1.0,
        "mean_batch_size": 1.0,
        "pss_bytes": 100 * 2**20,
        "steal_share": 0.0,
        "generator_output": "",
    }


def memory_result(*, ops_mebibytes: tuple[int, ...] = ()) -> Document:
    def measured(*private_mebibytes: int, pss: int) -> dict[str, Any]:
        privates = (*private_mebibytes, *ops_mebibytes)
        processes = [{"pss_bytes": 2**20, "private_bytes": private * 2**20} for private in privates]
        return {"workers": len(private_mebibytes) - 1, "pss_bytes": pss * 2**20, "processes": processes}

    return {
        "benchmark": "memory",
        "environment": ENVIRONMENT,
        "artifact_bytes": 250 * 2**20,
        "trees": 100,
        "requests": 1000,
        "measurements": [measured(10, 20, pss=400), measured(10, 21, 22, pss=440)],
        "ratio": 1.1,
    }


def acceleration_repetition(arm: str, block: int, rate: float, **more: object) -> dict[str, Any]:
    figures = repetition(rate) | {"arm": arm, "block": block}
    return figures | {"pss_bytes_by_process": [2**20], "cpu_seconds_by_process": [1.0]} | more


def costs(**seconds: list[float]) -> dict[str, Any]:
    return {"model": "forest", "rows": 16, "acceleration": "made-up", "seconds": seconds}


def acceleration_result() -> Document:
    arms = [
        {"name": "text", "question": "Forkcast", "workers": 2, "connections": 32},
        {"name": "blocking", "question": "FastAPI", "workers": 2, "connections": 32},
    ]
    rows = [
        acceleration_repetition("text", 0, 400.0, acceleration="made-up", busiest_share=0.5),
        acceleration_repetition("blocking", 0, 100.0, busiest_share=0.75),
    ]
    del rows[1]["mean_batch_size"]
    return {
        "benchmark": "acceleration",
        "environment": ENVIRONMENT,
        "conditions": {
            "quick": False, "repetitions": 1, "warm_up_seconds": 4, "window_seconds": 10, "seed": 20, "rounds": 41,
        },
        "arms": arms,
        "figures": [
            {"what": "a", "asked": "at least 4", "measured": "4.00", "holds": True},
            {"what": "b", "asked": "at least 9", "measured": "4.00", "holds": False},
            {"what": "c", "asked": "reported", "measured": "4.00", "holds": None},
        ],
        "costs": [],
        "repetitions": rows,
    }  # fmt: skip


def account_result(stages: dict[str, int], *, microseconds: float = 500.0, **environment: object) -> Document:
    measured = {
        "requests": 1_000,
        "worker_cpu_seconds": microseconds / 1_000,
        "worker_system_seconds": 0.05,
        "unsampled_cpu_seconds_per_request": microseconds / 1e6,
        "unsampled_requests_per_second": 1e6 / microseconds,
        "mean_batch_size": 30.0,
        "calibration_seconds": [0.1, 0.1],
        "steal_share": 0.0,
        "stages": stages,
    }
    return {
        "benchmark": "account",
        "environment": ENVIRONMENT | environment,
        "conditions": {"quick": False, "warm_up_seconds": 4, "window_seconds": 10, "connections": 32, "seed": 20},
        "repetitions": [measured],
    }
