"""Settings come from variables and a file. What is wrong is said in plain sentences, without values."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from registry_grpc.configuration import load_settings, source_of
from registry_grpc.settings import AuthKind, ClusterKind, ConfigurationError, Settings

SECRET = "hunter2"
ISSUER = '{"issuer": "https://i", "audiences": ["r"]}'


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without the settings of the developer."""
    for name in list(os.environ):
        if name.startswith("REGISTRY_") or name == "KUBECONFIG":
            monkeypatch.delenv(name)
    return monkeypatch


def refused(**variables: str) -> list[str]:
    """What is wrong with these variables."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(f"REGISTRY_{name.upper()}", value)
        with pytest.raises(ConfigurationError) as caught:
            load_settings()
    return str(caught.value).splitlines()


@pytest.fixture
def file(environment: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "registry.toml"
    environment.setenv("REGISTRY_CONFIG_FILE", str(path))
    return path


@pytest.mark.parametrize(
    ("name", "nearest"), [("portt", "PORT"), ("data_base_url", "DATABASE_URL"), ("encryption_key", "ENCRYPTION_KEYS")]
)
def test_a_name_that_nothing_reads_is_refused_with_the_nearest_one(name: str, nearest: str) -> None:
    (line,) = refused(**{name: SECRET})
    assert line == (f"REGISTRY_{name.upper()}: there is no such setting; the name most like it is REGISTRY_{nearest}")


@pytest.mark.parametrize(
    "name",
    [
        "REGISTRY_TOKEN",
        "REGISTRY_AUTH_FILE",
        "REGISTRY_TEST_BASE_URL",
        "REGISTRY_GRPC_SERVICE_HOST",
        "REGISTRY_GRPC_SERVICE_PORT_HTTP",
        "REGISTRY_GRPC_PORT",
        "REGISTRY_GRPC_PORT_8080_TCP_ADDR",
        "REGISTRY_PORT_8080_TCP",
        "REGISTRYPORT",
    ],
)
def test_names_that_others_read_are_accepted(name: str, environment: pytest.MonkeyPatch) -> None:
    environment.setenv(name, "tcp://10.0.0.1:8080")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("port", SECRET, "it must be an integer, at least 0, at most 65535"),
        ("workers", "0", "it is too small; it must be an integer, at least 1, at most 1000"),
        (
            "max_message_bytes",
            "99999999999",
            "it is too large; it must be an integer, at least 1024, at most 2147483647",
        ),
        ("drain_delay", "nan", "it is too large; it must be a number, at least 0, at most 86400"),
        ("production", SECRET, "it must be `true` or `false`"),
        ("cluster", SECRET, "it must be `none` or `simulated` or `kubeconfig` or `in-cluster`"),
        ("log_level", SECRET, "it must be `debug` or `info` or `warning` or `error`"),
        ("worker_host", f"{SECRET}:80 ", "write an address such as 127.0.0.1 or ::, without a port"),
        ("host", "http://localhost", "write an address such as 127.0.0.1 or ::, without a port"),
        ("watch_namespaces", "Models", "write names of namespaces, such as models,staging"),
        ("allowed_service_accounts", "builder", "write pairs `namespace/name`, such as models/*"),
        ("allowed_image_pull_secrets", "a/b/c", "write pairs `namespace/name`, such as models/*"),
        ("allowed_env", "A=B", "write names such as HF_HOME,MY_*"),
    ],
)
def test_a_value_that_means_nothing(name: str, value: str, text: str) -> None:
    assert refused(**{name: value}) == [f"REGISTRY_{name.upper()}: {text}"]


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (SECRET, ['write a JSON list such as [{"issuer": "https://…", "audiences": ["…"]}]']),
        (ISSUER, ["it must be a list in JSON"]),
        ("[3]", ["it must be a list in JSON"]),
        (
            f'[{ISSUER}, {{"issuer": "{SECRET}", "audience": ["r"], "algorithms": []}}]',
            [
                "entry 2: issuer: write a URL such as https://issuer.example, without a query",
                "entry 2: audiences: it is missing",
                "entry 2: algorithms: it is too short; it must be a list, comma-separated",
                "entry 2: audience: there is no such setting; the name most like it is audiences",
            ],
        ),
    ],
)
def test_issuers_that_mean_nothing(value: str, texts: list[str]) -> None:
    assert refused(auth="required", issuers=value) == [f"REGISTRY_ISSUERS: {text}" for text in texts]


@pytest.mark.parametrize(
    ("variables", "wrong"),
    [
        ({"issuers": f"[{ISSUER}]"}, "ISSUERS: has no effect with REGISTRY_AUTH=off"),
        ({"issuers": f"[{ISSUER}]", "auth": "demo"}, "ISSUERS: has no effect with REGISTRY_AUTH=demo"),
        ({"operators": "boss"}, "OPERATORS: has no effect with REGISTRY_AUTH=off"),
        ({"operator_groups": "bosses"}, "OPERATOR_GROUPS: has no effect with REGISTRY_AUTH=off"),
        ({"kubeconfig": "/k"}, "KUBECONFIG: has no effect with REGISTRY_CLUSTER=none"),
        ({"kubeconfig": "/k", "cluster": "in-cluster"}, "KUBECONFIG: has no effect with REGISTRY_CLUSTER=in-cluster"),
    ],
)
def test_a_setting_without_effect(variables: dict[str, str], wrong: str) -> None:
    (line,) = refused(**variables)
    assert line.startswith(f"REGISTRY_{wrong}: set REGISTRY_")


def test_the_demo_may_have_operators(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REGISTRY_AUTH", "demo")
    environment.setenv("REGISTRY_OPERATORS", "boss")
    assert load_settings().operators == ("boss",)


def test_a_file_has_settings_and_variables_win(file: Path, environment: pytest.MonkeyPatch) -> None:
    file.write_text(
        'workers = 4\ndrain_delay = 2\ncluster = "kubeconfig"\nkubeconfig = "/file"\nauth = "required"\n'
        'watch_namespaces = ["models", "staging"]\nallowed_env = "A,B"\n'
        '[[issuers]]\nissuer = "https://i"\naudiences = ["r"]\n'
    )
    environment.setenv("REGISTRY_WORKERS", "3")
    environment.setenv("REGISTRY_DRAIN_DELAY", "")
    environment.setenv("KUBECONFIG", "/of-kubectl")
    settings = load_settings()
    assert (settings.workers, settings.drain_delay) == (3, 2.0)
    assert (settings.cluster, settings.auth) == (ClusterKind.KUBECONFIG, AuthKind.REQUIRED)
    assert (settings.kubeconfig, settings.watch_namespaces) == (Path("/file"), ("models", "staging"))
    assert (settings.allowed_env, settings.issuers[0].audiences) == (("A", "B"), ("r",))
    sources = {name: source_of(settings, name) for name in ("workers", "drain_delay", "cluster", "port")}
    assert sources == {"workers": "variable", "drain_delay": "file", "cluster": "file", "port": "default"}


def test_what_is_wrong_in_a_file_is_said_by_the_file(file: Path) -> None:
    file.write_text(f'worker = 4\nREGISTRY_PORT = 1\nauth = "{SECRET}"\nwatch_namespaces = [1]\ncluster = "moon"\n')
    assert set(refused(cluster="sun")) == {
        "REGISTRY_CLUSTER: it must be `none` or `simulated` or `kubeconfig` or `in-cluster`",
        f"auth in {file}: it must be `off` or `required` or `demo`",
        f"watch_namespaces in {file}: it must be a list, comma-separated",
        f"worker in {file}: there is no such setting; the name most like it is workers",
        f"REGISTRY_PORT in {file}: there is no such setting; the name most like it is port",
    }


@pytest.mark.parametrize("content", [b"workers = ", b"\xff", b'a = "' + SECRET.encode()])
def test_a_file_that_is_not_toml(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    (line,) = refused()
    assert line.startswith(f"REGISTRY_CONFIG_FILE: {file} cannot be read as TOML: ")
    assert SECRET not in line


def test_a_file_that_is_not_there(file: Path) -> None:
    assert refused() == [f"REGISTRY_CONFIG_FILE: there is no file {file}"]
    file.mkdir()
    assert refused() == [f"REGISTRY_CONFIG_FILE: there is no file {file}"]
