"""Which runs may be put in one table."""

from collections.abc import Sequence

from benchmarks.result_file import Document

SAME_ENVIRONMENT = (
    "code", "python", "libraries", "kernel", "cpu_model", "cores", "load_generator", "model", "settings",
)  # fmt: skip
SAME_MACHINE = ("python", "libraries", "kernel", "cpu_model", "cores", "settings")
SAME_CONDITIONS = ("quick", "warm_up_seconds", "window_seconds")
# What may differ in runs that stand in one table; of the other benchmarks, each run is complete by itself.
COMBINED = {"bench": frozenset[str](), "full": frozenset[str](), "account": frozenset({"code", "settings"})}


class NotComparable(Exception):
    """The runs were not made under the same conditions."""


def check_comparable(runs: Sequence[Document]) -> None:
    """Raises NotComparable with the first difference."""
    _check_same("benchmark", [run["benchmark"] for run in runs])
    _check_same("scenarios", [run.get("scenarios") for run in runs])
    if runs[0]["benchmark"] not in COMBINED and len(runs) > 1:
        raise NotComparable(f"runs of {runs[0]['benchmark']} are not combined: each is complete by itself")
    may_differ = COMBINED.get(runs[0]["benchmark"], frozenset())
    for key in SAME_ENVIRONMENT:
        if key not in may_differ:
            _check_same(key, [run["environment"][key] for run in runs])
    for key in SAME_CONDITIONS:
        _check_same(key, [run.get("conditions", {}).get(key) for run in runs])


def check_one_machine(runs: Sequence[Document]) -> None:
    """Raises NotComparable where runs of several benchmarks do not belong in one report; their code may differ."""
    for key in SAME_MACHINE:
        _check_same(key, [run["environment"][key] for run in runs])


def _check_same(key: str, values: Sequence[object]) -> None:
    if any(value != values[0] for value in values):
        raise NotComparable(f"{key} differs: {', '.join(sorted({str(value) for value in values}))}")
