"""Which model is held, or why none is."""

from collections.abc import Callable
from dataclasses import dataclass

from app.errors import ModelNotReady
from app.runtimes.base import ModelMetadata, Runtime


@dataclass(slots=True)
class Held:
    """
    A model, or what becomes one by `build`.

    `identity` is that of the artifact, to tell whether another one is the same.
    """

    identity: str = ""
    metadata: ModelMetadata | None = None
    runtime: Runtime | None = None
    build: Callable[[], Runtime] | None = None


class ModelStore:
    """
    Filled in the arbiter before it forks: with a model that the workers share copy-on-write, or with what each of them
    builds its own of.
    """

    def __init__(self, runtime: Runtime | None, identity: str = "") -> None:
        self._held = Held(identity, runtime.metadata if runtime is not None else None, runtime)

    @classmethod
    def unshared(cls, metadata: ModelMetadata, build: Callable[[], Runtime], identity: str) -> "ModelStore":
        """Holds no model yet, but knows what it will be."""
        store = cls(None)
        store._held = Held(identity, metadata, build=build)
        return store

    def become(self, other: "ModelStore") -> None:
        """In the arbiter, between two forks: hold what the other one holds; what either builds, both have."""
        self._held = other._held

    def build(self) -> None:
        """In a worker, unless the model is shared: have one of its own; raises ModelNotReady."""
        if self._held.build is not None:
            self._held.runtime, self._held.build = self._held.build(), None

    @property
    def identity(self) -> str:
        return self._held.identity

    @property
    def metadata(self) -> ModelMetadata | None:
        return self._held.metadata

    @property
    def shared(self) -> bool:
        """Whether forks have the model as it is; False where each is to `build` its own."""
        return self._held.build is None

    @property
    def loaded(self) -> bool:
        return self._held.runtime is not None

    @property
    def version(self) -> str:
        """Of the model; empty without one."""
        return self.metadata.version if self.metadata is not None else ""

    @property
    def current(self) -> Runtime:
        """The model that is served; raises ModelNotReady."""
        if self._held.runtime is None:
            raise ModelNotReady("no model is loaded")
        return self._held.runtime
