"""Runs all checks and prints a line for each, and the RBAC to apply if rights are missing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict

from registry_grpc.adapters.encryption.aes_gcm import parse_keys
from registry_grpc.doctor.cluster import check_cluster
from registry_grpc.doctor.database import check_database, namespaces_in_use
from registry_grpc.doctor.diagnosis import Diagnosis, Verdict, ok, warning
from registry_grpc.doctor.gateway import check_gateway
from registry_grpc.settings import Settings
from registry_grpc.shipped import PROJECT_ROOT

RBAC = PROJECT_ROOT / "deploy" / "kubernetes" / "rbac.yaml"


async def examine(settings: Settings, gateway: str | None = None, *, as_json: bool = False) -> bool:
    """Print the results of all checks. Returns whether the service can work."""
    lacks, lacks_rights, results = False, False, list[Diagnosis]()
    async for diagnosis in _diagnoses(settings, gateway):
        results.append(diagnosis)
        if not as_json:
            print(diagnosis, flush=True)  # noqa: T201
        lacks |= diagnosis.verdict is Verdict.MISSING
        lacks_rights |= bool(diagnosis.missing_permissions)
    if as_json:
        print(json.dumps([asdict(diagnosis) for diagnosis in results], indent=2))  # noqa: T201
    elif lacks_rights:
        print(f"\n{RBAC.read_text(encoding='utf-8')}", end="")  # noqa: T201
    return not lacks


async def _diagnoses(settings: Settings, gateway: str | None) -> AsyncIterator[Diagnosis]:
    yield _encryption_key(settings)
    async for diagnosis in check_database(settings):
        yield diagnosis
    async for diagnosis in check_cluster(settings, await namespaces_in_use(settings)):
        yield diagnosis
    yield await check_gateway(settings, gateway)


def _encryption_key(settings: Settings) -> Diagnosis:
    about = "encryption key"
    if settings.encryption_keys is None:
        return warning(about, "it is the development key, which everybody knows", "set REGISTRY_ENCRYPTION_KEYS")
    first, *others = parse_keys(settings.encryption_keys.get_secret_value())
    further = f", {', '.join(others)} can still decrypt" if others else ""
    return ok(about, f"{first} encrypts{further}")
