"""Other commands find a running `registry-grpc dev` by its data folder."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from registry_grpc.configuration import load_settings
from registry_grpc.folder_lock import locked
from registry_grpc.local_run import announced, beside_run
from registry_grpc.settings import AuthKind, ClusterKind, Settings

ENVIRONMENT = {
    "REGISTRY_DATABASE_URL": "postgresql://u:p@/db?host=/run",
    "REGISTRY_CLUSTER": "kubeconfig",
    "REGISTRY_KUBECONFIG": "/data/kubeconfig",
    "REGISTRY_AUTH": "required",
    "REGISTRY_ISSUERS": '[{"issuer": "https://i", "audiences": ["r"]}]',
    "REGISTRY_PORT": "1234",
    "GRPC_EXPERIMENTS": "x",
}
WORKERS = ["unix:/run/worker-0.sock"]


@contextmanager
def a_run(folder: Path) -> Iterator[None]:
    with locked(folder), announced(folder, WORKERS, ENVIRONMENT):
        yield


def test_the_settings_and_workers_of_a_run_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with a_run(tmp_path):
        settings, workers = beside_run(Settings(data_dir=tmp_path))
        assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600
    assert (settings.dsn, settings.port, workers) == (ENVIRONMENT["REGISTRY_DATABASE_URL"], 1234, WORKERS)
    assert (settings.cluster, settings.kubeconfig) == (ClusterKind.KUBECONFIG, Path("/data/kubeconfig"))
    assert (settings.auth, settings.issuers[0].issuer) == (AuthKind.REQUIRED, "https://i")
    assert capsys.readouterr().err == f"uses the settings of `registry-grpc dev`, which runs in {tmp_path}\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "lock"]


def test_options_of_the_command_stay(tmp_path: Path) -> None:
    with a_run(tmp_path):
        settings, _ = beside_run(load_settings(data_dir=tmp_path, gateway_ca=Path("ca.crt"), port=1))
    assert (settings.gateway_ca, settings.data_dir, settings.port) == (Path("ca.crt"), tmp_path, 1234)


def test_what_the_run_was_started_with_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, doctor would miss a cluster and a key that are there."""
    with monkeypatch.context() as of_run:
        of_run.setenv("REGISTRY_ENCRYPTION_KEYS", "k1:" + "A" * 43 + "=")
        of_run.setenv("REGISTRY_DATA_DIR", "elsewhere")
        of_run.setenv("REGISTRY_WATCH_NAMESPACES", "a,b")
        of_run.setenv("REGISTRY_AUTH", "demo")
        of_run.setenv("REGISTRY_LOG_LEVEL", "")
        run = ExitStack()
        run.enter_context(a_run(tmp_path))
    with run:
        settings, _ = beside_run(Settings(data_dir=tmp_path))
    assert settings.encryption_keys is not None
    assert settings.watch_namespaces == ("a", "b")
    assert (settings.auth, settings.data_dir) == (AuthKind.REQUIRED, tmp_path)


@pytest.mark.parametrize("ended", ["never ran", "stopped", "was killed"])
def test_without_a_run_nothing_changes(ended: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        if ended == "stopped":
            with a_run(tmp_path):
                pass
        elif ended == "was killed":  # it leaves its file, but not the lock
            stack.enter_context(announced(tmp_path, WORKERS, ENVIRONMENT))
        own = Settings(data_dir=tmp_path)
        assert beside_run(own) == (own, own.worker_addresses)


def test_settings_of_a_database_win(tmp_path: Path) -> None:
    own = Settings(data_dir=tmp_path, database_url=SecretStr("postgresql://h/d"))
    with a_run(tmp_path):
        assert beside_run(own) == (own, own.worker_addresses)


def test_the_file_of_a_killed_run_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with a_run(tmp_path):
        assert beside_run(Settings(data_dir=tmp_path))[1] == WORKERS
