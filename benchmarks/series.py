"""A series: the runs of one benchmark in one folder, a file each, written once and never edited."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from benchmarks import result_file
from benchmarks.markdown import Row
from benchmarks.result_file import Document

HEAD = "series.json"
FINISHED = "finished.json"
LEFT_OUT = "left-out-"


class Planned(Protocol):
    """What a run is made of: a dataclass of plain values."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str: ...


class NotResumable(Exception):
    """The series was begun under other conditions than it would go on under."""


class Series:
    """`series.json` says what is measured and where; each other file is one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.head: Document = result_file.load(folder / HEAD)
        self._runs = [result_file.load(file) for file in sorted(folder.glob("[0-9]*.json"))]

    @classmethod
    def begin(
        cls, folder: Path, *, benchmark: str, environment: Row, conditions: Row, scenarios: Sequence[Planned]
    ) -> "Series":
        """Raises FileExistsError rather than write into a series that is there."""
        described = {"benchmark": benchmark, "environment": environment, "conditions": conditions}
        folder.mkdir(parents=True, exist_ok=False)
        result_file.write({**described, "scenarios": [plain(scenario) for scenario in scenarios]}, folder / HEAD)
        return cls(folder)

    def save(self, run: Row) -> None:
        """Of a block, a scenario and an attempt; whole or not at all, for a run may be cut off."""
        name = f"{run['block']:02d}-{run['scenario']}-{run['attempt']}.json"
        unfinished = self.folder / f".{name}"
        unfinished.unlink(missing_ok=True)
        result_file.write(run, unfinished)
        # Which, unlike a rename, replaces nothing.
        (self.folder / name).hardlink_to(unfinished)
        unfinished.unlink()
        self._runs.append(run)

    def add(self, name: str, measure: Callable[[], Row]) -> None:
        """What is measured once a series, unless it was."""
        if not (self.folder / name).exists():
            result_file.write(measure(), self.folder / name)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def scenarios(self) -> list[Row]:
        scenarios: list[Row] = self.head["scenarios"]
        return scenarios

    @property
    def runs(self) -> list[Row]:
        """In the order in which they were made, the void ones too."""
        return sorted(self._runs, key=lambda run: str(run["started"]))

    @property
    def valid(self) -> list[Row]:
        return [run for run in self.runs if not run["void"]]

    def of(self, scenario: str) -> list[Row]:
        """The valid runs of a scenario, by block."""
        return sorted((run for run in self.valid if run["scenario"] == scenario), key=lambda run: int(run["block"]))

    def made(self, scenario: str, block: int | None = None) -> list[Row]:
        """All runs of it, the void ones too; of one block, or of all."""
        return [run for run in self.runs if run["scenario"] == scenario and block in (None, run["block"])]

    def finish(self) -> None:
        """All that was to be measured was."""
        self.add(FINISHED, lambda: {"ended": result_file.moment()})

    @property
    def finished(self) -> bool:
        return (self.folder / FINISHED).exists()

    def attempts(self, block: int, scenario: str) -> int:
        return len(self.made(scenario, block))

    def has(self, block: int, scenario: str, attempts: int) -> bool:
        """A valid run, or as many as are made."""
        made = self.made(scenario, block)
        return len(made) >= attempts or any(not run["void"] for run in made)

    @property
    def left_out(self) -> dict[str, str]:
        """Scenarios that this host cannot measure, and why."""
        found = [result_file.load(file) for file in sorted(self.folder.glob(f"{LEFT_OUT}*.json"))]
        return {each["scenario"]: each["why"] for each in found}

    def leave_out(self, scenario: str, why: str) -> None:
        result_file.write({"scenario": scenario, "why": why}, self.folder / f"{LEFT_OUT}{scenario}.json")

    def try_again(self) -> None:
        """What was left out may be measured where it is gone on with: a missing program may be there by then."""
        for file in self.folder.glob(f"{LEFT_OUT}*.json"):
            file.unlink()

    def check_resumable(self, *, environment: Row, conditions: Row, scenarios: Sequence[Planned]) -> None:
        """Raises NotResumable where code, machine, conditions or scenarios are others than they were."""
        same = ("code", "python", "libraries", "kernel", "cpu_model", "cores", "load_generator", "model", "settings")
        given = {**{key: environment[key] for key in same}, **conditions, "scenarios": [*map(plain, scenarios)]}
        head = {**self.head["environment"], **self.head["conditions"], "scenarios": self.scenarios}
        for key, value in given.items():
            if head[key] != value:
                raise NotResumable(f"{self.name} was begun with another {key}: {head[key]} rather than {value}"[:400])


def plain(scenario: Planned) -> Row:
    """As it is read back from a file."""
    described: dict[str, Any] = json.loads(json.dumps(asdict(scenario)))
    return described


def new_folder(benchmark: str, *, trial: bool = False) -> Path:
    """`benchmarks/results/bench-20260131T235959`; sorted by name, they are sorted by time."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return (result_file.TRIALS if trial else result_file.RESULTS) / f"{benchmark}-{moment}"


def newest(benchmark: str, folder: Path = result_file.RESULTS) -> Series:
    """Of those that are finished; raises FileNotFoundError where there is none."""
    found = sorted(file.parent for file in folder.glob(f"{benchmark}-*/{FINISHED}"))
    if not found:
        raise FileNotFoundError(f"no series named {benchmark} in {folder.name}/")
    return Series(found[-1])
