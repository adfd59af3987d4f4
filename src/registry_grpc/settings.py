"""All settings, read from environment variables (`REGISTRY_…`). No module below bootstrap reads the environment."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher, parse_keys
from registry_grpc.shipped import MIGRATIONS

_LAST_PORT = 65535
_PAIR = re.compile(r"[^=]*[^=\s]\s*=\s*[^=\s][^=]*")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::(?:\d+|\*))?")


class ConfigurationError(Exception):
    """The command cannot run with these settings. The text says what to change."""


class ClusterKind(StrEnum):
    """The cluster to which models are deployed."""

    NONE = "none"
    SIMULATED = "simulated"
    KUBECONFIG = "kubeconfig"
    IN_CLUSTER = "in-cluster"


class Settings(BaseSettings):
    """The settings of an operator. Times are in seconds. An empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix="REGISTRY_", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    port: int = Field(default=8080, ge=0, le=65535)
    """The gateway's port. `registry-grpc dev` lets Envoy listen on it, and `registry-grpc doctor` checks the gateway on
    it, also if Envoy has its own configuration."""
    host: str = "127.0.0.1"
    """The address on which the gateway listens; `0.0.0.0` makes it reachable from other machines. Development only."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated origins whose web pages may call the gateway, such as `https://app.example`; `:*` at the end
    allows any port. Empty: localhost and 127.0.0.1. Development only; elsewhere, set them in `gateway/envoy.yaml`."""
    data_dir: Path = Path(".data")
    """The folder of the embedded database, logs and sockets. Development only."""
    database_url: SecretStr | None = None
    """`postgresql://…`. Unset: the embedded database of `registry-grpc dev`."""
    database_connections: int = Field(default=16, ge=1)
    """Connections per worker process. Together, the workers must stay below the server's limit."""
    database_queue: int = Field(default=500, ge=0)
    """How many requests of a worker may wait for a connection, for each kind of object. Further requests are refused
    with RESOURCE_EXHAUSTED."""
    database_statement_timeout: float = Field(default=5.0, ge=0.001, le=86_400)
    """How long a statement may run."""
    workers: int = Field(default=2, ge=1)
    """The number of worker processes. Each has its own address."""
    worker_host: str = "127.0.0.1"
    """The address on which the workers listen. `dev` does not use it: its workers listen on Unix sockets."""
    worker_port: int = Field(default=50051, ge=1, le=65535)
    """The port of the first worker. The others have the ports after it. `dev` does not use it."""
    max_message_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """The size of the largest gRPC request that a worker accepts."""
    shutdown_grace: float = Field(default=8.0, ge=0, le=86_400)
    """How long running requests may take to finish after SIGTERM."""
    drain_delay: float = Field(default=0.5, ge=0, le=86_400)
    """How long a worker continues to serve after it has reported NOT_SERVING, while load balancers turn away."""
    reflection: bool = True
    """Whether gRPC reflection is enabled."""
    production: bool = False
    """Whether to refuse the development encryption key."""
    encryption_keys: SecretStr | None = Field(default=None, validate_default=True)
    """`<id>:<base64 of 32 bytes>,…`: the first key encrypts, all keys decrypt. Unset: a development key."""
    cluster: ClusterKind = ClusterKind.NONE
    """The cluster to deploy to: `none`, `simulated` (development only), `kubeconfig` or `in-cluster`."""
    kubeconfig: Path = Field(
        default=Path("~/.kube/config"), validation_alias=AliasChoices("REGISTRY_KUBECONFIG", "KUBECONFIG")
    )
    """The file for `kubeconfig`. KUBECONFIG is used if REGISTRY_KUBECONFIG is not set."""
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated namespaces to watch if the registry has no cluster-wide rights. Empty: all."""
    allowed_service_accounts: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated service accounts that deployments may use, as `namespace/name` with `*`. Empty: none."""
    allowed_env: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated environment variables that deployments may set, with `*`. Empty: none."""
    allowed_image_pull_secrets: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated Secrets with which deployments may pull images, as `namespace/name` with `*`. Empty: none."""
    model_formats: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated names of frameworks with KServe's name of the model format, such as `h2o=mlflow`. They are added
    to the built-in ones, such as `scikit-learn=sklearn`; case does not matter."""
    kubernetes_requests_per_second: float = Field(default=50.0, gt=0, le=100_000)
    """The rate of calls to the Kubernetes API per process. Bursts may be twice as large."""
    history_days: int = Field(default=90, ge=1, le=36_500)
    """For how many days history is kept: events and revisions of deployments, ids of deploy requests, and the
    deployments of deleted inference services. The leading controller deletes older history."""
    history_revisions: int = Field(default=20, ge=1, le=1_000_000)
    """How many revisions of each deployment are kept regardless of their age."""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    """The lowest level that is logged."""
    log_format: str = Field(default="json", pattern="^(json|text)$")
    """The format of log lines."""
    migrations_dir: Path = MIGRATIONS
    """The folder of the migrations."""

    @field_validator(
        "cors_origins",
        "watch_namespaces",
        "allowed_service_accounts",
        "allowed_env",
        "allowed_image_pull_secrets",
        "model_formats",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _check_cors_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError(
                "write origins as browsers send them: http://localhost:5173, https://app.example, http://x:*"
            )
        return value

    @field_validator("model_formats")
    @classmethod
    def _check_model_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_PAIR.fullmatch(pair) for pair in value):
            raise ValueError("write pairs `framework=format`, such as h2o=mlflow, with commas between them")
        return value

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: SecretStr | None) -> SecretStr | None:
        """Checked here, because errors of urllib and asyncpg quote parts of a URL, such as the password."""
        if value is not None and not _is_database_url(value.get_secret_value()):
            raise ValueError(
                "write postgresql://user:password@host:port/database, with special characters of the password as %XX"
            )
        return value

    @field_validator("worker_port")
    @classmethod
    def _check_worker_ports(cls, value: int, info: ValidationInfo) -> int:
        if value + info.data.get("workers", 1) - 1 > _LAST_PORT:
            raise ValueError("each worker needs a port from this one on, but ports end at 65535: choose a lower port")
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _check_encryption_keys(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None:
            AesGcmCipher(parse_keys(value.get_secret_value()))
        elif info.data.get("production"):
            raise ValueError(
                "production needs keys: without them, secrets are encrypted with a key that everybody knows"
            )
        return value

    @property
    def worker_addresses(self) -> list[str]:
        """The addresses of the workers that `serve` runs."""
        return [f"{self.worker_host}:{self.worker_port + i}" for i in range(self.workers)]

    @property
    def format_names(self) -> dict[str, str]:
        """The pairs of `model_formats`, by names in lower case."""
        pairs = (pair.split("=") for pair in self.model_formats)
        return {name.strip().lower(): model_format.strip() for name, model_format in pairs}

    @property
    def dsn(self) -> str:
        """The database URL. Raises ConfigurationError if it is not set."""
        if self.database_url is None:
            raise ConfigurationError("REGISTRY_DATABASE_URL is not set")
        return self.database_url.get_secret_value()


def unknown_variables(environment: Iterable[str]) -> dict[str, str]:
    """The variables `REGISTRY_…` that no setting reads, each with the name that is most like it."""
    known = [f"REGISTRY_{name.upper()}" for name in Settings.model_fields]
    unknown = [name for name in environment if name.startswith("REGISTRY_") and name not in known]
    return {name: difflib.get_close_matches(name, known, n=1, cutoff=0)[0] for name in unknown}


def _is_database_url(text: str) -> bool:
    try:
        scheme, place, path, query, fragment = urlsplit(text)
        parse_qsl(query, strict_parsing=bool(query))
        # If a password has an unescaped / ? or #, its beginning is parsed as the port, and the rest as the path.
        ports = [urlsplit(f"//{host}").port for host in place.rpartition("@")[2].split(",")]
    except ValueError:
        return False
    return scheme in {"postgresql", "postgres"} and "@" not in path + fragment and 0 not in ports
