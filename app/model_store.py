"""Which models are held, in which versions, or why none is."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from app.errors import ModelNotReady
from app.runtimes.base import ModelMetadata, Runtime

# As long as a version that fits the scoreboard.
MOST_VERSION_CHARACTERS = 32


@dataclass(slots=True, eq=False)
class Held:
    """
    One version of one model, or what becomes one by `build`.

    `identity` is that of the artifact, to tell whether another one is the same.
    """

    metadata: ModelMetadata
    identity: str = ""
    runtime: Runtime | None = None
    build: Callable[[], Runtime] | None = None

    @property
    def current(self) -> Runtime:
        """The model itself; raises ModelNotReady."""
        if self.runtime is None:
            raise ModelNotReady("no model is loaded")
        return self.runtime


class ModelStore:
    """
    Filled in the arbiter before it forks: with models that the workers share copy-on-write, or with what each of them
    builds its own of. Either way the versions of each model follow one another, the newest first.
    """

    def __init__(self, held: Iterable[Held] = (), unloaded: Iterable[str] = ()) -> None:
        self._held = list(held)
        # The names of models that could be held, and that somebody unloaded.
        self.unloaded = tuple(unloaded)

    @classmethod
    def of(cls, runtime: Runtime, identity: str = "") -> "ModelStore":
        """Holds one model that is loaded."""
        return cls([Held(runtime.metadata, identity, runtime)])

    def __iter__(self) -> Iterator[Held]:
        return iter(self._held)

    def become(self, other: "ModelStore") -> None:
        """In the arbiter, between two forks: hold what the other one holds; what either builds, both have."""
        self._held, self.unloaded = other._held, other.unloaded

    def build(self) -> None:
        """In a worker, unless the models are shared: have some of its own; raises ModelNotReady."""
        for held in self._held:
            if held.build is not None:
                held.runtime, held.build = held.build(), None

    @property
    def newest(self) -> list[Held]:
        """Of each model."""
        return list({held.metadata.name: held for held in reversed(self._held)}.values())[::-1]

    @property
    def older(self) -> list[Held]:
        """All versions but the newest of each model."""
        newest = self.newest
        return [held for held in self._held if held not in newest]

    @property
    def default(self) -> Held | None:
        """What answers who names no model: the newest version where there is only one model."""
        return self.newest[0] if len(self.newest) == 1 else None

    @property
    def shared(self) -> bool:
        """Whether forks have the models as they are; False where each is to `build` its own."""
        return all(held.build is None for held in self._held)

    @property
    def loaded(self) -> bool:
        return bool(self._held) and all(held.runtime is not None for held in self._held)

    @property
    def version(self) -> str:
        """The newest one of the model; of several models what changes with any of them; empty without one."""
        if self.default is not None:
            return self.default.metadata.version
        told = " ".join(f"{held.metadata.name}={held.metadata.version}" for held in self.newest)
        return told if len(told) <= MOST_VERSION_CHARACTERS else hashlib.sha256(told.encode()).hexdigest()[:12]
