"""Which model is held, or why none is."""

from collections.abc import Callable

from app.errors import ModelNotReady
from app.runtimes.base import ModelMetadata, Runtime


class ModelStore:
    """
    Filled in the arbiter before it forks: with a model that the workers share copy-on-write, or with what each of them
    builds its own of.

    `identity` is that of the artifact, to tell whether another one is the same.
    """

    def __init__(self, runtime: Runtime | None, identity: str = "") -> None:
        self.identity = identity
        self.metadata = runtime.metadata if runtime is not None else None
        self._runtime = runtime
        self._build: Callable[[], Runtime] | None = None

    @classmethod
    def unshared(cls, metadata: ModelMetadata, build: Callable[[], Runtime], identity: str) -> "ModelStore":
        """Holds no model yet, but knows what it will be; see `build`."""
        store = cls(None, identity)
        store.metadata, store._build = metadata, build
        return store

    def become(self, other: "ModelStore") -> None:
        """In the arbiter, between two forks: hold what the other one holds."""
        self.identity, self.metadata = other.identity, other.metadata
        self._runtime, self._build = other._runtime, other._build

    def build(self) -> None:
        """In a worker, which has this copy of the store for itself: have a model of its own; raises ModelNotReady."""
        if self._build is not None:
            self._runtime, self._build = self._build(), None

    @property
    def shared(self) -> bool:
        """Whether forks have the model as it is; False where each is to `build` its own."""
        return self._build is None

    @property
    def loaded(self) -> bool:
        return self._runtime is not None

    @property
    def version(self) -> str:
        """Of the model; empty without one."""
        return self.metadata.version if self.metadata is not None else ""

    @property
    def current(self) -> Runtime:
        """The model that is served; raises ModelNotReady."""
        if self._runtime is None:
            raise ModelNotReady("no model is loaded")
        return self._runtime
