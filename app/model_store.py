"""Which model is held, or why none is."""

from app.errors import ModelNotReady
from app.runtimes.base import Runtime


class ModelStore:
    """Filled in the arbiter before it forks; each worker holds the same model, shared copy-on-write."""

    def __init__(self, runtime: Runtime | None) -> None:
        self._runtime = runtime

    def replace(self, runtime: Runtime | None) -> Runtime | None:
        """In the arbiter, between two forks: hold this one from here on; returns the former one."""
        former, self._runtime = self._runtime, runtime
        return former

    @property
    def loaded(self) -> bool:
        return self._runtime is not None

    @property
    def version(self) -> str:
        """Of the model; empty without one."""
        return self._runtime.metadata.version if self._runtime is not None else ""

    @property
    def current(self) -> Runtime:
        """The model that is served; raises ModelNotReady."""
        if self._runtime is None:
            raise ModelNotReady("no model is loaded")
        return self._runtime
