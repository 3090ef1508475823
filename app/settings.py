"""Every knob of the server; read once, at the composition roots."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasGenerator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.store_settings import PREFIX as PREFIX
from app.store_settings import ROOT as ROOT
from app.store_settings import FeatureSettings, JobSettings, PredictionLogSettings

# Gunicorn stops waiting for a worker this long after the deadline of the requests in it.
GRACE_SECONDS = 5
# A Unix socket's path has at most 107 bytes, of which `/9999.sock` takes ten.
MOST_SOCKET_FOLDER = 97


def only(default: object) -> AfterValidator:
    """A setting of a part that does not exist yet takes nothing but its default."""

    def check(value: Any) -> Any:
        if value != default:
            raise ValueError("is not available in this version; leave it unset")
        return value

    return AfterValidator(check)


NotAvailable = Annotated[str | None, only(None)]
Switch = Literal["on", "off"]


class Settings(FeatureSettings, PredictionLogSettings, JobSettings, BaseSettings):
    model_config = SettingsConfigDict(
        alias_generator=AliasGenerator(validation_alias=lambda field: PREFIX + field.upper()),
        case_sensitive=True,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    host: str = Field(default="127.0.0.1", validation_alias="HOST")
    """Address that the API listens on."""

    port: int = Field(default=8000, ge=1, le=65535, validation_alias="PORT")
    """Port of the API."""

    ops_host: str = "127.0.0.1"
    """Address that the operator's endpoints listen on; they take no key."""

    ops_port: int = Field(default=8001, ge=1, le=65535, validation_alias="OPS_PORT")
    """Port of the operator's endpoints."""

    grpc_port: int | None = Field(default=None, ge=1, le=65535)
    """Port of the API's host where the Open Inference Protocol is spoken over gRPC, in clear text; unset: none."""

    web_concurrency: int | None = Field(default=None, ge=1, le=1024, validation_alias="WEB_CONCURRENCY")
    """Worker processes; unset: one for each core that this process may use."""

    model_uri: str = Field(default=str(ROOT / "var/models/sentiment.joblib"), validation_alias="MODEL_URI")
    """Artifact: a path (.joblib, .pkl, .skops, .onnx, a folder of an MLflow model), or MLflow's models:/ or runs:/."""

    model_repository: Path | None = Field(default=None, validation_alias="MODEL_REPOSITORY")
    """Folder name/version/artifact of models that are served in place of MODEL_URI, each in its newest versions."""

    model_versions: int = Field(default=3, ge=1, le=1000)
    """Versions of each model in MODEL_REPOSITORY that are held, the newest first; older ones stay files."""

    model_sha256: str | None = None
    """The only sha256 that is loaded, or a file in sha256sum's form that is read at each load; unset: any."""

    max_model_bytes: int = Field(default=8 * 2**30, ge=1)
    """Bytes of the largest artifact that is read."""

    trusted_types_file: Path | None = None
    """Types that a .skops artifact may hold, one dotted name a line; unset: those alone that skops itself trusts."""

    on_load_failure: Literal["exit", "unready"] = "exit"
    """When the model cannot be loaded: stop the start, or start and answer 503."""

    preload: Literal["auto", "off"] = "auto"
    """Whether workers share one loaded model: wherever their fork allows it, or never, so that each loads its own."""

    execution: Literal["inline", "threads", "microbatch"] = "microbatch"
    """Where a predict runs: on the event loop, in a thread pool, or batched per tick of the loop."""

    threads: int = Field(default=3, ge=1, le=256)
    """Threads of one worker in the execution mode `threads`."""

    max_batch_size: int = Field(default=128, ge=1, le=65536)
    """Rows of the largest micro-batch; a larger request is split."""

    acceleration: Literal["auto", "off"] = "auto"
    """Whether faster code may predict where it was proven to answer as this very model does."""

    max_in_flight: int = Field(default=512, ge=1)
    """Requests that one worker holds at once; the next one is answered 503 before its body is read."""

    max_connections: int = Field(default=4096, ge=1)
    """Connections that one worker holds at once; for a further one an idle one is closed, else it is answered 503."""

    max_body_bytes: int = Field(default=2**20, ge=1)
    """Bytes of the largest request body; beyond it the answer is 413."""

    max_rows: int = Field(default=100_000, ge=1)
    """Instances of the largest request; beyond it the answer is 422."""

    reload_timeout_seconds: int = Field(default=60, ge=1, le=3600)
    """Within it a reload must load the new model and prove it; else the served one stays."""

    reload_max_memory_bytes: int | None = Field(default=None, ge=1)
    """Memory that the proof of a new model may take; unset: half of what this process may use."""

    request_timeout_seconds: int = Field(default=30, ge=1, le=3600)
    """From a request's accept to its predict, at most; else 503, 504 or 408. One predict may take 10 s more."""

    content_filter: Literal["generate", "all", "off"] = "generate"
    """Which texts are refused for hate and violence: prompts of text generation only, every text, or none."""

    blocked_terms_file: Path | None = None
    """Terms that the content filter refuses, one a line; unset: the list that comes with Forkcast."""

    metrics: Switch = "on"
    """Whether the API's port shows /metrics."""

    docs: Switch = "on"
    """Whether the API's port shows /docs and /openapi.json."""

    worker_header: Switch = "on"
    """Whether each answer names the worker's slot in X-Worker."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe event that is logged."""

    log_format: Literal["auto", "json", "text"] = "auto"
    """One JSON object a line, or text for people; auto: text where stderr is a terminal."""

    access_log: Switch = "off"
    """Whether each request is logged; faults always are."""

    accept: Literal["balanced", "stock"] = "balanced"
    """How connections spread over the workers: by what each holds, or as the kernel wakes them, for comparison."""

    require_keys: Annotated[bool, only(False)] = False
    """Whether the start is refused without API keys; not available yet."""

    api_keys_file: Path | None = None
    """File of API keys, read again at each reload: a name, the secret's sha256 and its scopes a line; none: no keys."""

    generator_uri: NotAvailable = None
    """Model of text generation; not available yet."""

    cache_entries: int = Field(default=0, ge=0, le=10_000_000)
    """Instances whose predictions a worker remembers, the least recently used forgotten first; 0: none."""

    worker_sockets: Path | None = None
    """Folder where each worker also listens on a Unix socket `<slot>.sock`, for a proxy that balances by itself."""

    invocations: Literal["mlflow", "sagemaker"] = "mlflow"
    """Whose form /invocations and /ping speak."""

    @model_validator(mode="after")
    def check_model_repository(self) -> Self:
        if self.model_repository is not None and "model_uri" in self.model_fields_set:
            raise ValueError("MODEL_URI and MODEL_REPOSITORY are both set")
        return self

    @model_validator(mode="after")
    def check_files(self) -> Self:
        for name in ("blocked_terms_file", "trusted_types_file", "api_keys_file", "features_defaults_file"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"{PREFIX}{name.upper()} names no file")
        return self

    @model_validator(mode="after")
    def check_worker_sockets(self) -> Self:
        if self.worker_sockets is not None and not self.worker_sockets.is_dir():
            raise ValueError(f"{PREFIX}WORKER_SOCKETS names no folder")
        if len(str(self.worker_sockets)) > MOST_SOCKET_FOLDER:
            raise ValueError(f"{PREFIX}WORKER_SOCKETS must have at most {MOST_SOCKET_FOLDER} characters")
        return self

    @model_validator(mode="after")
    def check_ports(self) -> Self:
        if self.port == self.ops_port:
            raise ValueError("PORT and OPS_PORT are the same")
        if self.grpc_port in (self.port, self.ops_port):
            raise ValueError(f"{PREFIX}GRPC_PORT is the same as PORT or OPS_PORT")
        if self.grpc_port is not None and self.accept != "balanced":
            raise ValueError(f"{PREFIX}GRPC_PORT goes with {PREFIX}ACCEPT=balanced alone")
        return self

    @property
    def grpc_ports(self) -> list[int]:
        """One, or none."""
        return [] if self.grpc_port is None else [self.grpc_port]

    @property
    def ports(self) -> list[int]:
        """The API's, the operator's, and that of gRPC if there is one."""
        return [self.port, self.ops_port, *self.grpc_ports]


def environment_name(field: str) -> str:
    """`PORT` for `port`, `FORKCAST_THREADS` for `threads`."""
    return str(Settings.model_fields[field].validation_alias)
