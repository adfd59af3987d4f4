"""Settings: errors name all wrong settings at once, and show no secret."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from registry_grpc.domain.redaction import redacted
from registry_grpc.settings import ClusterKind, ConfigurationError, Settings
from registry_grpc.shipped import PROJECT_ROOT

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(32)).decode()
SECRET = "hunter2"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without the settings of the developer."""
    import os

    for name in list(os.environ):
        if name.startswith(("REGISTRY_", "OTEL_")) or name == "KUBECONFIG":
            monkeypatch.delenv(name)
    return monkeypatch


def refused(**variables: str) -> dict[str, str]:
    """The error messages by setting."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(f"REGISTRY_{name.upper()}", value)
        with pytest.raises(ValidationError) as caught:
            Settings()
    return {str(error["loc"][0]): error["msg"] for error in caught.value.errors()}


def test_everything_that_is_wrong_is_named_at_once() -> None:
    messages = refused(
        port="x", workers="0", cluster="moon", log_level="loud", production="true", database_url="mysql://h/d"
    )
    wrong = {"port", "workers", "cluster", "log_level", "encryption_keys", "database_url", "auth", "tenancy"}
    assert set(messages) == wrong


def test_some_history_is_always_kept() -> None:
    assert set(refused(history_days="0", history_revisions="0")) == {"history_days", "history_revisions"}
    assert (Settings().history_days, Settings().history_revisions) == (90, 20)


def test_production_needs_keys(environment: pytest.MonkeyPatch) -> None:
    text = f"REGISTRY_ENCRYPTION_KEYS: {refused(production='true')['encryption_keys']}"
    assert "it must be set in production" in redacted(text), "the log hides what looks like the key"
    in_production(environment)
    assert Settings().encryption_keys == SecretStr(f"k1:{KEY}")


def in_production(environment: pytest.MonkeyPatch, **more: str) -> None:
    """Set everything that production needs."""
    needed = {"production": "true", "encryption_keys": f"k1:{KEY}", "auth": "required", "tenancy": "enforced"}
    for name, value in (needed | more).items():
        environment.setenv(f"REGISTRY_{name.upper()}", value)


@pytest.mark.parametrize(
    ("setting", "value", "what_to_set"),
    [
        ("auth", "off", "REGISTRY_AUTH=required"),
        ("auth", "demo", "REGISTRY_AUTH=required"),
        ("tenancy", "open", "REGISTRY_TENANCY=enforced"),
        ("worker_host", "0.0.0.0", "REGISTRY_MESH=true"),
        ("worker_host", "::", "REGISTRY_WORKER_TLS_CERTIFICATE"),
        ("worker_host", "10.0.0.1", "127.0.0.1"),
    ],
)
def test_production_refuses_what_is_open_to_others(
    environment: pytest.MonkeyPatch, setting: str, value: str, what_to_set: str
) -> None:
    in_production(environment, **{setting: value})
    messages = refused()
    assert set(messages) == {setting}
    assert what_to_set in messages[setting]
    environment.delenv("REGISTRY_PRODUCTION")
    assert str(getattr(Settings(), setting)) == value


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"worker_host": "127.0.0.2"},
        {"worker_host": "[::1]"},
        {"worker_host": "localhost"},
        {"worker_host": "0.0.0.0", "mesh": "true"},
        {"worker_host": "0.0.0.0", "worker_tls_certificate": "/tls.crt", "worker_tls_key": "/tls.key"},
    ],
)
def test_production_accepts_listeners_that_others_cannot_read(
    environment: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    in_production(environment, **more)
    assert Settings().production


def test_a_worker_of_its_own_is_checked_too(environment: pytest.MonkeyPatch) -> None:
    in_production(environment)
    with pytest.raises(ConfigurationError, match="REGISTRY_MESH=true"):
        Settings().check_listener("0.0.0.0:50051")
    for address in ("unix:/run/worker.sock", "127.0.0.1:1", "[::1]:1"):
        Settings().check_listener(address)
    environment.setenv("REGISTRY_MESH", "true")
    Settings().check_listener("0.0.0.0:50051")


def test_reflection_is_off_in_production_unless_it_is_set(environment: pytest.MonkeyPatch) -> None:
    assert Settings().has_reflection
    in_production(environment)
    assert not Settings().has_reflection
    environment.setenv("REGISTRY_REFLECTION", "true")
    assert Settings().has_reflection


def test_a_certificate_needs_its_key_and_the_other_way_round() -> None:
    assert "needs its key" in refused(worker_tls_certificate="/tls.crt")["worker_tls_key"]
    assert set(refused(worker_tls_key="/tls.key", worker_tls_ca="/ca.crt")) == {"worker_tls_key", "worker_tls_ca"}


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        (KEY, "<id>:<base64 of 32 bytes>"),
        (f"k1:{KEY[:20]}", "'k1' must be the base64 of 32 bytes"),
        (f"k1:{KEY},k2:???", "'k2' must be the base64 of 32 bytes"),
        (" , ", "at least one"),
        (f"k1:{KEY},k1:{OTHER_KEY}", "two encryption keys have the id 'k1'"),
        (f"k1:{KEY},k2:{KEY}", "'k2' is the same as one before it"),
        (f"k 1:{KEY}", "the id has letters and digits only"),
    ],
)
def test_unusable_keys_are_refused_without_being_shown(keys: str, complaint: str) -> None:
    message = refused(encryption_keys=keys)["encryption_keys"]
    assert complaint in message
    assert KEY[:20] not in message


@pytest.mark.parametrize(
    "url",
    [
        f"user:{SECRET}@host/db",
        f"mysql://user:{SECRET}@host/db",
        f"postgresql://user:{SECRET}/x@host/db",
        f"postgresql://user:1/{SECRET}@host/db",
        f"postgresql://user:{SECRET}#x@host/db",
        f"postgresql://user:1#{SECRET}@host/db",
        f"postgresql://user:{SECRET}?x@host/db",
        f"postgresql://user:{SECRET}[@host/db",
        f"postgresql://user:{SECRET}@host:port/db",
        f"postgresql://user:{SECRET}@host:0/db",
        f"postgresql://user:{SECRET}@host:70000/db",
        f"postgresql://user:{SECRET}@host/db?sslmode",
    ],
)
def test_a_database_url_that_would_be_read_otherwise_is_refused_without_being_shown(url: str) -> None:
    message = refused(database_url=url)["database_url"]
    assert "postgresql://user:password@host:port/database" in message
    assert SECRET not in message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:pass%2Fword@host:5432/db?sslmode=require",
        "postgres://host/db",
        "postgresql://user:p@one:5432,two:5433/db?target_session_attrs=read-write",
        "postgresql://user:p@/db?host=/run/post@gres&port=5432",
        "postgresql://user:p@[::1]:5432/db",
    ],
)
def test_database_urls(url: str) -> None:
    assert Settings(database_url=SecretStr(url)).dsn == url


def test_without_a_database() -> None:
    with pytest.raises(ConfigurationError, match="REGISTRY_DATABASE_URL is not set"):
        _ = Settings().dsn


def test_every_worker_needs_a_port() -> None:
    assert "worker_port" in refused(workers="3", worker_port="65534")
    assert Settings(workers=2, worker_port=65534).worker_port == 65534


def test_lists_are_separated_by_commas_and_empty_variables_count_as_unset(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REGISTRY_WATCH_NAMESPACES", " models, staging ,")
    environment.setenv("REGISTRY_CLUSTER", "")
    settings = Settings()
    assert settings.watch_namespaces == ("models", "staging")
    assert settings.cluster is ClusterKind.NONE


def test_names_of_model_formats(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REGISTRY_MODEL_FORMATS", "H2O-3=mlflow, my bert = huggingface")
    assert Settings().format_names == {"h2o-3": "mlflow", "my bert": "huggingface"}
    for wrong in ("h2o", "h2o=", "=mlflow", "a=b=c", " =x"):
        assert "write pairs `framework=format`" in refused(model_formats=wrong)["model_formats"]


def test_the_registrys_kubeconfig_goes_before_that_of_kubectl(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("KUBECONFIG", "/kubectl")
    assert Settings().kubeconfig == Path("/kubectl")
    environment.setenv("REGISTRY_KUBECONFIG", "/registry")
    environment.setenv("REGISTRY_CLUSTER", "kubeconfig")
    assert Settings().kubeconfig == Path("/registry")


def test_the_registrys_receiver_of_traces_goes_before_the_usual_one(environment: pytest.MonkeyPatch) -> None:
    assert Settings().traces_endpoint is None
    environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318")
    assert Settings().traces_endpoint == "http://all:4318"
    environment.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318/v1/traces")
    assert Settings().traces_endpoint == "http://traces:4318/v1/traces"
    environment.setenv("REGISTRY_TRACES_ENDPOINT", "https://ours/otlp")
    assert Settings().traces_endpoint == "https://ours/otlp"


@pytest.mark.parametrize("value", ["collector:4317", f"http://u:{SECRET}@collector", "http://c?token=1", "http://c d"])
def test_a_receiver_of_traces_is_a_url_without_credentials(environment: pytest.MonkeyPatch, value: str) -> None:
    assert "OTEL_EXPORTER_OTLP_HEADERS" in refused(traces_endpoint=value)["traces_endpoint"]
    environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", value)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in refused()["traces_endpoint"]


def test_secrets_are_masked_wherever_settings_are_printed() -> None:
    url, keys = SecretStr(f"postgresql://user:{SECRET}@host/db"), SecretStr(f"k1:{KEY}")
    settings = Settings(database_url=url, encryption_keys=keys)
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert SECRET not in text
        assert KEY not in text


def test_the_page_about_them_is_up_to_date() -> None:
    program = "import sys; sys.path.insert(0, 'scripts'); import configuration; print(configuration.page(), end='')"
    page = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT_ROOT, check=True, capture_output=True, text=True
    ).stdout
    committed = (PROJECT_ROOT / "docs" / "configuration.md").read_text()
    assert page == committed, "run `python scripts/configuration.py`"


def test_make_run_is_only_open_to_the_network_by_a_setting() -> None:
    assert Settings.model_fields["host"].default == "127.0.0.1"


@pytest.mark.parametrize("prefixes", [("", "k8s:"), ("a", "ab"), ("k8s:", "k8s:x"), ("", "")])
def test_no_issuer_can_name_the_users_of_another_one(prefixes: tuple[str, str]) -> None:
    listed = [
        {"issuer": f"https://i{place}", "audiences": ["registry"], "prefix": prefix}
        for place, prefix in enumerate(prefixes)
    ]
    assert "prefix" in refused(auth="required", issuers=json.dumps(listed))["issuers"]
    for each, prefix in zip(listed, ("a:", "b:"), strict=True):
        each["prefix"] = prefix
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGISTRY_AUTH", "required")
        patch.setenv("REGISTRY_ISSUERS", json.dumps(listed))
        assert len(Settings().issuers) == 2
