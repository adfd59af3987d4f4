"""Starts etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok as plain processes."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.cluster import stages
from tests.cluster.certificates import self_signed
from tests.cluster.client import ClusterClient
from tests.cluster.own_kserve import NAMESPACE, OwnKServe

from registry_grpc.devtools.simulated_cluster.access import write_kubeconfig

_MASTERS = "system:masters"
_USERS = {"admin": _MASTERS, "kserve": _MASTERS, "registry": "", "worker": ""}
"""The user and group of every identity. `registry` and `worker` have the rights that RBAC gives them."""
_CONTROLLERS = (
    "deployment-controller", "replicaset-controller", "job-controller", "garbage-collector-controller",
    "namespace-controller", "serviceaccount-controller", "root-ca-certificate-publisher-controller",
    "resourcequota-controller",
    "pod-garbage-collector-controller", "horizontal-pod-autoscaler-controller",
)  # fmt: skip
_READY_WITHIN = 90.0
_ROOT = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG = 1


class ControlPlane:
    """One control plane with its own folder and ports."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._keys = self_signed(folder)
        self._tokens = {user: secrets.token_hex(16) for user in _USERS}
        self.url = ""

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of an identity."""
        return self._folder / f"{user}.kubeconfig"

    def start(self) -> None:
        """Starts etcd and kube-apiserver, and returns when they answer."""
        keys = self._keys
        etcd, peer, port = _free_ports(3)
        self.url = f"https://127.0.0.1:{port}"
        tokens = self._folder / "tokens.csv"
        lines = [f'{self._tokens[user]},{user},{user},"{group}"' for user, group in _USERS.items()]
        tokens.write_text("\n".join(lines) + "\n")
        for user, token in self._tokens.items():
            write_kubeconfig(self.kubeconfig(user), self.url, token, certificate_authority=keys.certificate.read_text())
        self._run(
            "etcd",
            data_dir=self._folder / "etcd",
            listen_client_urls=f"http://127.0.0.1:{etcd}",
            advertise_client_urls=f"http://127.0.0.1:{etcd}",
            listen_peer_urls=f"http://127.0.0.1:{peer}",
            unsafe_no_fsync="true",
        )
        self._run(
            "kube-apiserver",
            etcd_servers=f"http://127.0.0.1:{etcd}",
            bind_address="127.0.0.1",
            advertise_address="127.0.0.1",
            secure_port=port,
            endpoint_reconciler_type="none",
            cert_dir=self._folder,
            tls_cert_file=keys.certificate,
            tls_private_key_file=keys.key,
            client_ca_file=keys.certificate,
            token_auth_file=tokens,
            authorization_mode="RBAC",
            service_cluster_ip_range="10.0.0.0/24",
            allow_privileged="true",
            service_account_issuer=f"{self.url}/",
            service_account_key_file=keys.key,
            service_account_signing_key_file=keys.key,
        )
        self._wait_until_ready(keys.certificate)

    def start_controllers(self) -> None:
        """Starts the rest. Call it when the custom kinds exist: the garbage collector looks for kinds every 30 s."""
        admin = self.kubeconfig("admin")
        shared = {
            "kubeconfig": admin,
            "authentication_kubeconfig": admin,
            "authorization_kubeconfig": admin,
            "leader_elect": "false",
        }
        self._run(
            "kube-controller-manager",
            **shared,
            secure_port=0,
            service_account_private_key_file=self._keys.key,
            root_ca_file=self._keys.certificate,
            controllers=",".join(_CONTROLLERS),
            horizontal_pod_autoscaler_sync_period="1s",
        )
        self._run("kube-scheduler", **shared, secure_port=0)
        config = self._folder / "stages.yaml"
        config.write_text(stages.as_yaml())
        self._run("kwok", kubeconfig=admin, manage_all_nodes="true", config=config)

    def start_kserve(self) -> None:
        """Runs the KServe controller of the simulated cluster."""
        command = [sys.executable, "-m", "tests.cluster.toy_kserve", str(self.kubeconfig("kserve"))]
        self._spawn("kserve", command, PYTHONPATH=f"{_ROOT}:{_ROOT / 'src'}:{_ROOT / 'stubs/python/src'}")

    async def start_own_kserve(self, kserve: OwnKServe, client: ClusterClient) -> None:
        """Runs KServe's own manager, and returns when it and its webhooks answer."""
        webhooks, health, metrics = _free_ports(3)
        temporary = self._folder / "kserve"
        kserve.certify(temporary, self._keys)
        flags = {
            "webhook-port": webhooks,
            "health-probe-addr": f"127.0.0.1:{health}",
            "metrics-addr": f"127.0.0.1:{metrics}",
        }
        command = [str(kserve.program), *(f"--{flag}={value}" for flag, value in flags.items())]
        environment = {"KUBECONFIG": str(self.kubeconfig("kserve")), "POD_NAMESPACE": NAMESPACE}
        self._spawn("kserve", command, TMPDIR=str(temporary), **environment)
        self._until_answers(urllib.request.Request(f"http://127.0.0.1:{health}/readyz"))
        authority = base64.b64encode(self._keys.certificate.read_bytes()).decode()
        await kserve.complete(client, f"https://127.0.0.1:{webhooks}", authority)

    def _run(self, name: str, **flags: Any) -> None:
        arguments = [f"--{flag.replace('_', '-')}={value}" for flag, value in flags.items()]
        self._spawn(name, [str(self._binaries / name), *arguments])

    def _spawn(self, name: str, command: list[str], **environment: str) -> None:
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=os.environ | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no lock another thread could hold
            )
        self._processes.append(process)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _wait_until_ready(self, certificate: Path) -> None:
        tls = ssl.create_default_context(cafile=str(certificate))
        headers = {"Authorization": f"Bearer {self._tokens['admin']}"}
        self._until_answers(urllib.request.Request(f"{self.url}/readyz", headers=headers), tls)

    def _until_answers(self, request: urllib.request.Request, tls: ssl.SSLContext | None = None) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self._processes):
                break
            try:
                with urllib.request.urlopen(request, context=tls, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        tails = {path.name: path.read_text(errors="replace")[-2000:] for path in self._folder.glob("*.log")}
        self.stop()
        raise RuntimeError(f"the control plane does not answer: {json.dumps(tails, indent=1)}")

    def stop(self) -> None:
        """Stops everything, last started first."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


def _die_with_parent() -> None:
    """Runs in the child. On Linux, a test run that is killed leaves no control plane behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    """Free ports. They are taken together, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return ports
