"""All settings, read from environment variables (`REGISTRY_…`) and a file. No module below bootstrap reads the
environment. configuration.py checks the names, and says what is wrong."""

from __future__ import annotations

import ipaddress
import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from registry_grpc import setting_forms as forms
from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher, parse_keys
from registry_grpc.domain.policy import RESERVED_LABELS
from registry_grpc.shipped import MIGRATIONS

PLAINTEXT = (
    "production needs TLS where other machines connect: listen on 127.0.0.1, set REGISTRY_WORKER_TLS_CERTIFICATE and "
    "REGISTRY_WORKER_TLS_KEY, or REGISTRY_MESH=true if a service mesh encrypts all connections"
)
CONFIG_FILE = "REGISTRY_CONFIG_FILE"
"""Names a TOML file with settings, such as `workers = 4`. Variables win."""
_LAST_PORT = 65535


class ConfigurationError(Exception):
    """The command cannot run with these settings. The text says what to change."""


class ClusterKind(StrEnum):
    """The cluster to which models are deployed."""

    NONE = "none"
    SIMULATED = "simulated"
    KUBECONFIG = "kubeconfig"
    IN_CLUSTER = "in-cluster"


class AuthKind(StrEnum):
    """Whether callers must prove who they are."""

    OFF = "off"
    REQUIRED = "required"
    DEMO = "demo"


class Tenancy(StrEnum):
    """Which projects exist."""

    OPEN = "open"
    ENFORCED = "enforced"


_SIGNATURES = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"))


def _usual_kubeconfig() -> Path:
    return Path(os.environ.get("KUBECONFIG") or "~/.kube/config")


def _usual_traces_endpoint() -> str | None:
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return next(filter(None, map(os.environ.get, names)), None)


class IssuerSettings(BaseModel):
    """An issuer of tokens: an OpenID Connect provider, or the API server of a Kubernetes cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: forms.IssuerUrl
    """Its URL, exactly as in the claim `iss`."""
    audiences: tuple[str, ...] = Field(min_length=1)
    """The audiences that are accepted; the claim `aud` must have one of them."""
    algorithms: tuple[str, ...] = Field(default=("RS256", "ES256"), min_length=1)
    """The signatures that are accepted. Only asymmetric ones can be."""
    user_claim: str = Field(default="sub", min_length=1)
    """The claim with the name of the user. `email` is only accepted if the issuer has verified it."""
    groups_claim: str = Field(default="groups", min_length=1)
    """The claim with the groups of the user."""
    prefix: str = ""
    """Put before the names of its users and groups. Required if there are several issuers."""
    jwks_url: str = ""
    """Where its keys are. Empty: its discovery document says where."""
    ca_file: Path | None = None
    """The certificates by which it is trusted. Unset: those of the system."""
    token_file: Path | None = None
    """A file with a token that is sent to the issuer with requests for its keys, as Kubernetes needs it."""

    @field_validator("algorithms")
    @classmethod
    def _check_algorithms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(value) - _SIGNATURES:
            raise ValueError(f"{', '.join(sorted(unknown))} is not one of {', '.join(sorted(_SIGNATURES))}")
        return value


class Settings(BaseSettings):
    """The settings of an operator. Times are in seconds. An empty variable counts as unset."""

    model_config = SettingsConfigDict(env_prefix="REGISTRY_", env_ignore_empty=True, extra="forbid", frozen=True)

    production: bool = False
    """Whether to refuse what is only safe on one's own machine: the development encryption key, open tenancy, calls
    without tokens, and listeners without TLS that other machines reach. It also switches reflection off."""
    mesh: bool = False
    """Whether a service mesh encrypts all connections, so that production accepts listeners without TLS."""
    port: int = Field(default=8080, ge=0, le=65535)
    """The gateway's port. `registry-grpc dev` lets Envoy listen on it, and `registry-grpc doctor` checks the gateway on
    it, also if Envoy has its own configuration."""
    host: forms.Host = "127.0.0.1"
    """The address on which the gateway listens; `0.0.0.0` makes it reachable from other machines. Development only."""
    gateway_tls: Path | None = None
    """A folder with `tls.crt` and `tls.key`, by which the gateway serves TLS. Development only."""
    gateway_mtls: bool = False
    """Whether it also requires certificates of clients, signed by `ca.crt` in that folder. Development only."""
    gateway_ca: Path | None = None
    """The certificates, in PEM, by which `doctor`, `export`, `import` and `healthcheck` trust the gateway. With them,
    an address without http:// or https:// means TLS too. Unset: those of the system."""
    gateway_name: str = ""
    """The name that the gateway's certificate must have for these commands. Empty: that of the address."""
    client_certificate: Path | None = None
    """The certificate with its chain, in PEM, that these commands show to a gateway with `--mtls`."""
    client_key: Path | None = Field(default=None, validate_default=True)
    """The private key of that certificate, in PEM."""
    token: SecretStr | None = None
    """The token that `export` and `import` send. Unset: that in the file."""
    token_file: Path | None = None
    """A file with that token, such as a mounted one."""
    cors_origins: forms.Origins = ()
    """Comma-separated origins whose web pages may call the gateway, such as `https://app.example`; `:*` at the end
    allows any port. Empty: localhost and 127.0.0.1. Development only; elsewhere, set them in `gateway/envoy.yaml`."""
    data_dir: Path = Path(".data")
    """The folder of the embedded database, logs and sockets. Development only."""
    database_url: forms.DatabaseUrl = None
    """`postgresql://…`. Unset: the embedded database of `registry-grpc dev`."""
    database_connections: int = Field(default=16, ge=1, le=10_000)
    """Connections per worker process. Together, the workers must stay below the server's limit."""
    database_queue: int = Field(default=500, ge=0, le=1_000_000)
    """How many requests of a worker may wait for a connection, for each kind of object. Further requests are refused
    with RESOURCE_EXHAUSTED, and those that have waited for 2 seconds, too."""
    database_statement_timeout: float = Field(default=5.0, ge=0.001, le=86_400)
    """How long a statement may run."""
    database_slow_statement: float = Field(default=1.0, ge=0, le=86_400)
    """A statement that takes longer than this is logged with its name."""
    workers: int = Field(default=2, ge=1, le=1000)
    """The number of worker processes. Each has its own address."""
    worker_tls_certificate: Path | None = None
    """The workers' certificate with its chain, in PEM, for TCP; read again when it changes. Unset: no TLS."""
    worker_tls_key: Path | None = Field(default=None, validate_default=True)
    """The private key of that certificate, in PEM."""
    worker_tls_ca: Path | None = Field(default=None, validate_default=True)
    """The certificates, in PEM, that sign those of the workers' clients. Unset: clients need none."""
    worker_host: forms.Host = "127.0.0.1"
    """The address on which the workers listen. `dev` does not use it: its workers listen on Unix sockets."""
    worker_port: int = Field(default=50051, ge=1, le=65535)
    """The port of the first worker. The others have the ports after it. `dev` does not use it."""
    max_message_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, le=2**31 - 1)
    """The size of the largest gRPC request that a worker accepts."""
    shutdown_grace: float = Field(default=8.0, ge=0, le=86_400)
    """How long running requests may take to finish after SIGTERM."""
    drain_delay: float = Field(default=0.5, ge=0, le=86_400)
    """How long a worker continues to serve after it has reported NOT_SERVING, while load balancers turn away."""
    reflection: bool | None = None
    """Whether gRPC reflection is enabled. Unset: except in production."""
    auth: AuthKind = Field(default=AuthKind.OFF, validate_default=True)
    """Whether callers must send a token: `off`, `required`, or `demo` (development only: with an issuer of its own)."""
    issuers: Annotated[tuple[IssuerSettings, ...], NoDecode] = ()
    """A JSON list of the issuers whose tokens are accepted: see docs/access.md. API tokens work without any."""
    operators: forms.Words = ()
    """Comma-separated names of the users who are operators, with the prefix of their issuer."""
    operator_groups: forms.Words = ()
    """Comma-separated names of the groups whose users are operators."""
    ui_issuer: forms.UiIssuerUrl = ""
    """The issuer at which users of the web UI log in: its URL, as in `REGISTRY_ISSUERS`. Empty: they paste a token."""
    ui_client_id: str = Field(default="", validate_default=True)
    """The name of the web UI at that issuer: a public client, whose redirect URI is `/ui/` at the gateway's address. It
    must be one of the `audiences`, because the UI sends ID tokens."""
    ui_scopes: forms.Words = ("openid", "profile", "email")
    """Comma-separated scopes that the web UI asks for."""
    tenancy: Tenancy = Field(default=Tenancy.OPEN, validate_default=True)
    """Which projects exist: `open`, all, and each may do everything; `enforced`, those that operators have created."""
    encryption_keys: SecretStr | None = Field(default=None, validate_default=True)
    """`<id>:<base64 of 32 bytes>,…`: the first key encrypts, all keys decrypt. Unset: a development key."""
    cluster: ClusterKind = ClusterKind.NONE
    """The cluster to deploy to: `none`, `simulated` (development only), `kubeconfig` or `in-cluster`."""
    kubeconfig: Path = Field(default_factory=_usual_kubeconfig, validate_default=False)
    """The file for `kubeconfig`. Unset: that of KUBECONFIG, or `~/.kube/config`."""
    workers_write: bool = True
    """Whether workers, too, write to the cluster: the first pass of a deployment, and dry runs of plans. `false`: their
    account needs only to read, and controllers do the rest."""
    watch_namespaces: forms.Namespaces = ()
    """Comma-separated namespaces to watch if the registry has no cluster-wide rights. Empty: all."""
    allowed_service_accounts: forms.Objects = ()
    """Comma-separated service accounts that deployments may use, as `namespace/name` with `*`. Empty: none."""
    allowed_env: forms.Variables = ()
    """Comma-separated environment variables that deployments may set, with `*`. Empty: none."""
    allowed_image_pull_secrets: forms.Objects = ()
    """Comma-separated Secrets with which deployments may pull images, as `namespace/name` with `*`. Empty: none."""
    reserved_labels: forms.Words = RESERVED_LABELS
    """Comma-separated prefixes of label keys that control other programs. Labels of users that begin so stay in the
    registry: they are not given to pods."""
    model_formats: forms.ModelFormats = ()
    """Comma-separated names of frameworks with KServe's name of the model format, such as `h2o=mlflow`. They are added
    to the built-in ones, such as `scikit-learn=sklearn`; case does not matter."""
    kubernetes_requests_per_second: float = Field(default=50.0, gt=0, le=100_000)
    """The rate of calls to the Kubernetes API per process. Bursts may be twice as large."""
    history_days: int = Field(default=90, ge=1, le=36_500)
    """For how many days history is kept: the event log, events and revisions of deployments, ids of deploy requests,
    and the deployments of deleted inference services. The leading controller deletes older history."""
    history_revisions: int = Field(default=20, ge=1, le=1_000_000)
    """How many revisions of each deployment are kept regardless of their age."""
    audit_days: int = Field(default=365, ge=1, le=36_500)
    """For how many days audit entries are kept."""
    gateway_networks: forms.Networks = ("127.0.0.0/8", "::1/128")
    """Comma-separated networks of the gateways, which are believed when they tell the address of a client. A peer on a
    Unix socket always is."""
    webhook_networks: forms.Networks = ()
    """Comma-separated networks such as `10.1.0.0/16`, in which webhooks may have private addresses and use http. Empty:
    webhooks use https and public addresses only."""
    deleted_version_days: int = Field(default=30, ge=1, le=36_500)
    """For how many days a deleted model version can be restored."""
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """The port on which `serve` and `controller` serve `/metrics` to Prometheus, and `/livez`; 0: any free one. Unset:
    none, except for `dev`, which takes free ones."""
    metrics_host: str = "127.0.0.1"
    """The address for that port. Metrics have no secrets, but let only Prometheus and probes reach it."""
    traces_endpoint: forms.TracesUrl = Field(default_factory=_usual_traces_endpoint, validate_default=True)
    """The URL of an OpenTelemetry receiver (OTLP over HTTP), such as `http://collector:4318` (docs/traces.md). Unset:
    that of OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT; without these, there are no traces."""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    """The lowest level that is logged: see docs/logs.md. `debug` adds each RPC and each call of the Kubernetes API."""
    log_format: str = Field(default="auto", pattern="^(auto|json|text)$")
    """The format of log lines. `auto`: `text` on a terminal, `json` elsewhere."""
    migrations_dir: Path = MIGRATIONS
    """The folder of the migrations."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a name of pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = TomlConfigSettingsSource(settings_cls, os.environ.get(CONFIG_FILE) or None)
        return init_settings, env_settings, file

    @field_validator("issuers", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            raise ValueError('write a JSON list such as [{"issuer": "https://…", "audiences": ["…"]}]') from None

    @field_validator("issuers", "operators", "operator_groups", "ui_issuer")
    @classmethod
    def _check_auth_is_on(cls, value: object, info: ValidationInfo) -> object:
        auth = info.data.get("auth")
        of_demo = {"operators", "operator_groups"}  # the demo has an issuer of its own
        if value and (auth is AuthKind.OFF or (auth is AuthKind.DEMO and info.field_name not in of_demo)):
            raise ValueError(f"has no effect with REGISTRY_AUTH={auth}: set REGISTRY_AUTH=required, or leave it out")
        return value

    @field_validator("ui_client_id")
    @classmethod
    def _check_ui_client_id(cls, value: str, info: ValidationInfo) -> str:
        if bool(value) != bool(info.data.get("ui_issuer", value)):
            raise ValueError("set REGISTRY_UI_ISSUER and REGISTRY_UI_CLIENT_ID, or neither")
        return value

    @field_validator("kubeconfig")
    @classmethod
    def _check_kubeconfig(cls, value: Path, info: ValidationInfo) -> Path:
        cluster = info.data.get("cluster")
        if value != _usual_kubeconfig() and cluster not in {None, ClusterKind.KUBECONFIG}:
            raise ValueError(
                f"has no effect with REGISTRY_CLUSTER={cluster}: set REGISTRY_CLUSTER=kubeconfig, or leave it out"
            )
        return value

    @field_validator("issuers")
    @classmethod
    def _check_issuers(cls, value: tuple[IssuerSettings, ...]) -> tuple[IssuerSettings, ...]:
        if len({each.issuer for each in value}) < len(value):
            raise ValueError("name each issuer once")
        if any(one is not other and one.prefix.startswith(other.prefix) for one in value for other in value):
            raise ValueError(
                "give each of several issuers a prefix, and none that begins with another one: otherwise the users of "
                "one can have the names of those of another"
            )
        return value

    @field_validator("worker_port")
    @classmethod
    def _check_worker_ports(cls, value: int, info: ValidationInfo) -> int:
        if value + info.data.get("workers", 1) - 1 > _LAST_PORT:
            raise ValueError("each worker needs a port from this one on, but ports end at 65535: choose a lower port")
        return value

    @field_validator("worker_tls_key", "worker_tls_ca")
    @classmethod
    def _check_worker_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        certificate = info.data.get("worker_tls_certificate")
        if value is None and certificate is not None and info.field_name == "worker_tls_key":
            raise ValueError("REGISTRY_WORKER_TLS_CERTIFICATE needs its key: set both, or neither")
        if value is not None and certificate is None:
            raise ValueError("has no effect without REGISTRY_WORKER_TLS_CERTIFICATE: set both, or neither")
        return value

    @field_validator("client_key")
    @classmethod
    def _check_client_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) != (info.data.get("client_certificate") is None):
            raise ValueError("a certificate needs its key: set REGISTRY_CLIENT_CERTIFICATE as well, or neither")
        return value

    @field_validator("worker_host")
    @classmethod
    def _check_worker_host(cls, value: str, info: ValidationInfo) -> str:
        if not (info.data.get("worker_tls_certificate") or info.data.get("mesh") or is_loopback(value)):
            _refuse_in_production(info, PLAINTEXT)
        return value

    @field_validator("auth")
    @classmethod
    def _check_auth(cls, value: AuthKind, info: ValidationInfo) -> AuthKind:
        if value is not AuthKind.REQUIRED:
            _refuse_in_production(info, "production needs callers that prove who they are: set REGISTRY_AUTH=required")
        return value

    @field_validator("tenancy")
    @classmethod
    def _check_tenancy(cls, value: Tenancy, info: ValidationInfo) -> Tenancy:
        if value is Tenancy.OPEN:
            _refuse_in_production(info, "production needs projects with limits: set REGISTRY_TENANCY=enforced")
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _check_encryption_keys(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None:
            AesGcmCipher(parse_keys(value.get_secret_value()))
        else:
            _refuse_in_production(
                info, "it must be set in production: without keys, secrets are encrypted with one that everybody knows"
            )
        return value

    def check_listener(self, address: str) -> None:
        """Raises ConfigurationError if a worker may not listen on `host:port` or `unix:/path` without TLS."""
        host = address.rpartition(":")[0]
        if self.production and not (self.mesh or address.startswith("unix:") or is_loopback(host)):
            raise ConfigurationError(f"{address}: {PLAINTEXT}")

    @property
    def has_reflection(self) -> bool:
        return not self.production if self.reflection is None else self.reflection

    @property
    def worker_addresses(self) -> list[str]:
        """The addresses of the workers that `serve` runs."""
        return [f"{self.worker_host}:{self.worker_port + i}" for i in range(self.workers)]

    @property
    def gateway_address(self) -> str:
        """The address at which this machine reaches its gateway."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - nothing listens here
        return f"{host}:{self.port}"

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


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address or name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_in_production(info: ValidationInfo, text: str) -> None:
    if info.data.get("production"):
        raise ValueError(text)
