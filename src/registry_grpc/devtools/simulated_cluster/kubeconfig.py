"""Kubeconfig files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def write_kubeconfig(path: Path, url: str, token: str, *, certificate_authority: Path | None = None) -> Path:
    """Writes a kubeconfig with one cluster and one user, readable by its owner only; returns the path."""
    cluster: dict[str, Any] = {"server": url}
    if certificate_authority is not None:
        cluster["certificate-authority"] = str(certificate_authority)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": "context",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def token_in(path: Path) -> str | None:
    """The token of a kubeconfig as `write_kubeconfig` writes it; None when the file is not there, or no such one."""
    try:
        token = yaml.safe_load(path.read_text(encoding="utf-8"))["users"][0]["user"]["token"]
    except (FileNotFoundError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return None
    return token if isinstance(token, str) else None
