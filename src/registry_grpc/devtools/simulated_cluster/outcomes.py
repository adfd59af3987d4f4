"""How a pod fares: told by a label of the pod, so that it works on a real cluster under kwok as well.

An InferenceService gets its pods to fail by carrying the label (KServe copies it), or by a storage URI that
contains one of the markers below.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

LABEL = "simulation.registry-grpc/outcome"


class Outcome(StrEnum):
    """What becomes of a pod."""

    READY = "ready"
    NEVER_READY = "never-ready"
    UNSCHEDULABLE = "unschedulable"
    DOWNLOAD_FAILED = "download-failed"
    IMAGE_PULL = "image-pull"
    CONFIG_ERROR = "config-error"
    CRASH_LOOP = "crash-loop"
    OUT_OF_MEMORY = "oom"


URI_MARKERS = {
    "/does-not-exist": Outcome.DOWNLOAD_FAILED,
    "/corrupt-model": Outcome.CRASH_LOOP,
    "/too-large-model": Outcome.OUT_OF_MEMORY,
}


def by_uri(storage_uri: str) -> Outcome:
    """The outcome a storage URI asks for."""
    return next((outcome for marker, outcome in URI_MARKERS.items() if marker in storage_uri), Outcome.READY)


def by_label(pod: dict[str, Any]) -> Outcome:
    """The outcome a pod's label asks for; READY for pods without it."""
    return Outcome(pod["metadata"].get("labels", {}).get(LABEL, Outcome.READY))
