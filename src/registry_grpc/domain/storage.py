"""Kinds of model storage by the model's URI: whether KServe can fetch from it, and with which credentials."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

KSERVE_PREFIXES = (
    "gs://", "s3://", "pvc://", "file://", "https://", "http://", "hdfs://", "webhdfs://", "oci://", "oci+native://",
    "oci+fetch://", "hf://",
)  # fmt: skip
"""The prefixes that KServe itself supports. ClusterStorageContainers may support more."""

_SCHEME = re.compile(r"\w+?://")
_AZURE_HOST = "blob.core.windows.net"
_AZURE = re.compile(rf"https://(.+?).{_AZURE_HOST}/(.+)")


_PLACE = re.compile(r"[^:/?#]+://[^/?#]*")


def place_of(uri: str) -> str:
    """Scheme and authority, to which keys are bound; empty for a local path. For s3:// and gs://, the authority is the
    bucket. It includes user and port, because parsers disagree about what the host is.
    """
    found = _PLACE.match(uri)
    return found[0].lower() if found else ""


class Storage(StrEnum):
    """The kinds of storage for which KServe can pass credentials to the downloader. For OTHER it passes none."""

    S3 = "S3"
    GCS = "GCS"
    AZURE = "AZURE"
    HUGGING_FACE = "HUGGING_FACE"
    HTTP = "HTTP"
    OTHER = "OTHER"

    @classmethod
    def of(cls, uri: str) -> Storage:
        if _AZURE.match(uri):
            return cls.AZURE
        prefixes = {
            "s3://": cls.S3,
            "gs://": cls.GCS,
            "hf://": cls.HUGGING_FACE,
            "https://": cls.HTTP,
            "http://": cls.HTTP,
        }
        return next((storage for prefix, storage in prefixes.items() if uri.startswith(prefix)), cls.OTHER)


def is_fetchable(uri: str, prefixes: Iterable[str] = (), patterns: Iterable[str] = ()) -> bool:
    """Whether KServe accepts the URI, by the rules of its controller. A text without a scheme is a local path.

    `prefixes` and `patterns` come from the cluster's ClusterStorageContainers.
    """
    if uri.startswith(tuple(prefixes)) or any(_finds(pattern, uri) for pattern in patterns):
        return True
    if not _SCHEME.search(uri):
        return True
    if _AZURE_HOST in uri:
        return bool(_AZURE.search(uri))
    return uri.startswith(KSERVE_PREFIXES)


def _finds(pattern: str, uri: str) -> bool:
    """Whether the pattern matches. A pattern that only Go understands counts as matching, to refuse nothing wrongly."""
    try:
        return bool(re.search(pattern, uri))
    except re.error:
        return True
