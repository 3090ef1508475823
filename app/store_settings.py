"""The knobs of what surrounds the inference; `app.settings` has them with all others."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

PREFIX = "FORKCAST_"
ROOT = Path(__file__).resolve().parent.parent
JOBS_OFF, SQLITE = "off", "sqlite:///"


def check_jobs_url(url: str) -> str:
    if url != JOBS_OFF and not url.startswith((SQLITE, "redis://", "rediss://", "unix://", "kafka://")):
        raise ValueError("must be sqlite:///path, redis://host, kafka://host or off")
    return url


class FeatureSettings(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    features_url: SecretStr | None = None
    """Store of what requests with an entity_id leave out: sqlite:///, postgresql://, http(s)://, redis://; or none."""

    features_source: str = Field(default="features", min_length=1)
    """The table there (name, schema.name) or a query (SELECT ...); in Redis what comes before `:` and the entity_id."""

    features_key: str = Field(default="entity_id", min_length=1)
    """Column of the table or query that has the entity_id."""

    features_key_type: Literal["text", "integer", "uuid"] = "text"
    """Type of that column."""

    features_timeout_seconds: float = Field(default=1.0, gt=0, le=60)
    """Within it a request has its features, retries included; else it is as FORKCAST_FEATURES_ON_FAILURE says."""

    features_attempts: int = Field(default=2, ge=1, le=10)
    """How often a query that fails is sent in all, as long as retries are no more than a tenth of all queries."""

    features_connections: int = Field(default=16, ge=1, le=1000)
    """Connections of one worker to the store; requests beyond them share the next query."""

    features_max_bytes: int = Field(default=4 * 2**20, ge=1)
    """Bytes of the largest answer that is read from a store over HTTP."""

    features_on_unknown: Literal["refuse", "default"] = "refuse"
    """An entity that the store does not know: 404, or predicted with the defaults and flagged."""

    features_on_failure: Literal["refuse", "default"] = "refuse"
    """A store that does not answer in time, or wrongly: 503, or predicted with the defaults and flagged."""

    features_defaults_file: Path | None = None
    """JSON object of columns and their default values, for the two settings above."""

    @model_validator(mode="after")
    def check_defaults(self) -> Self:
        if "default" in (self.features_on_unknown, self.features_on_failure) and self.features_defaults_file is None:
            raise ValueError(f"{PREFIX}FEATURES_ON_UNKNOWN and _ON_FAILURE need {PREFIX}FEATURES_DEFAULTS_FILE")
        return self


class PredictionLogSettings(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    prediction_log_url: SecretStr | None = None
    """Where predictions are logged: a file:, sqlite:, postgresql:, redis: or rediss: URL; unset: nowhere."""

    prediction_log_on_full: Literal["drop", "block"] = "drop"
    """When the log's queue is full: drop the record, or have its request wait, and after its deadline answer it 503."""

    prediction_log_instances: Literal["full", "hash", "none"] = "full"
    """What is logged of a request's instances: their values, the sha256 of their JSON, or nothing."""

    prediction_log_queue: int = Field(default=10_000, ge=1, le=10_000_000)
    """Records that wait in one worker until they are written, at most."""

    prediction_log_queue_bytes: int = Field(default=64 * 2**20, ge=2**20)
    """Memory of one worker that these may take, about; a single record may take more."""

    prediction_log_flush_seconds: float = Field(default=1.0, ge=0.01, le=60)
    """Within so many seconds records are written, if the store keeps up; a worker that is killed loses what waits."""

    prediction_log_max_bytes: int = Field(default=100 * 2**20, ge=2**20)
    """Bytes of a file of the prediction log, at most, or one batch; then another one is begun."""

    prediction_log_files: int = Field(default=10, ge=1, le=1000)
    """Files of the prediction log that are kept beside the one that each worker writes to, the oldest deleted first."""


class JobSettings(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    jobs_url: Annotated[str, AfterValidator(check_jobs_url)] = f"sqlite:///{ROOT / 'var/jobs.db'}"
    """Background jobs: sqlite:///path, redis://host, kafka://host, or off; who share them serve the same models."""

    consume: Literal["auto", "on", "off"] = "auto"
    """Whether the server has a process that runs jobs: for those in SQLite, always, or never (`make consume` does)."""

    consumer_metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Port of FORKCAST_OPS_HOST where `make consume` shows /metrics and /livez; unset: none."""

    jobs_max_queued: int = Field(default=10_000, ge=1)
    """Jobs that wait at once; the next one is answered 503."""

    jobs_max_attempts: int = Field(default=3, ge=1, le=1000)
    """How often a job is begun that its process does not survive, or that the model fails to predict."""

    jobs_lease_seconds: float = Field(default=15, ge=0.1, le=3600)
    """How long after the last sign of life of who runs a job another one begins it."""

    jobs_backoff_seconds: float = Field(default=1, ge=0, le=3600)
    """Pause before a job that failed is begun for the second time; each further one is twice as long."""

    jobs_result_seconds: float = Field(default=86_400, ge=1)
    """How long what became of a job can be asked."""

    jobs_max_payload_bytes: int = Field(default=32 * 2**20, ge=1)
    """Bytes of the largest body of a background job, in place of FORKCAST_MAX_BODY_BYTES."""

    jobs_max_result_bytes: int = Field(default=256 * 2**20, ge=1)
    """Bytes of the largest result of a background job; one with a larger result fails."""

    @property
    def runs_jobs(self) -> bool:
        """Whether the server has a process for it."""
        embedded = self.consume == "on" or (self.consume == "auto" and self.jobs_url.startswith(SQLITE))
        return embedded and self.jobs_url != JOBS_OFF
