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
_LETTERS = re.compile(r"([A-Za-z][\w+.-]*):")
_OF_RUNS = (
    "Store the location of the files instead; for MLflow, `mlflow.get_run(run_id).info.artifact_uri` tells it, such as "
    "s3://bucket/1/run/artifacts."
)
_FROM_HERE = "Copy the model to object storage, or to a volume of the cluster: pvc://<claim>/<path>."
_AT_AZURE = (
    "Write https://<account>.blob.core.windows.net/<container>/<path>, or install a ClusterStorageContainer for it."
)
_ADVICE = {
    "s3a": "Write s3://<bucket>/<path>.",
    "s3n": "Write s3://<bucket>/<path>.",
    "gcs": "Write gs://<bucket>/<path>.",
    "huggingface": "Write hf://<organization>/<model>.",
    **dict.fromkeys(("wasb", "wasbs", "abfs", "abfss", "adl"), _AT_AZURE),
    "models": _OF_RUNS,
    "runs": _OF_RUNS,
    "mlflow-artifacts": "Store the location behind MLflow's artifact server instead: its `--artifacts-destination`.",
    "dbfs": "Copy the model from Databricks to a location that KServe supports, for example by `databricks fs cp`.",
}

_LIKE_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_WEB_PAGE = re.compile(r"https?://(?:www\.)?huggingface\.co/([\w.-]+/[\w.-]+)(?!.*/resolve/)")
_AUTHORITIES = {"s3": "bucket", "gs": "bucket", "pvc": "claim"}
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
    MODELSCOPE = "MODELSCOPE"
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
            "modelscope://": cls.MODELSCOPE,
            "https://": cls.HTTP,
            "http://": cls.HTTP,
        }
        return next((storage for prefix, storage in prefixes.items() if uri.startswith(prefix)), cls.OTHER)


def is_fetchable(uri: str, prefixes: Iterable[str] = (), patterns: Iterable[str] = ()) -> bool:
    """Whether KServe accepts the URI, by the rules of its controller. A text without a scheme is a local path.

    `prefixes` and `patterns` come from the cluster's ClusterStorageContainers.
    """
    if is_claimed(uri, prefixes, patterns):
        return True
    if not _SCHEME.search(uri):
        return True
    if _AZURE_HOST in uri:
        return bool(_AZURE.search(uri))
    return uri.startswith(KSERVE_PREFIXES)


def is_claimed(uri: str, prefixes: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether a ClusterStorageContainer fetches the URI."""
    return uri.startswith(tuple(prefixes)) or any(_finds(pattern, uri) for pattern in patterns)


def advice_on(uri: str) -> str:
    """What to do about a uri that means something outside of the cluster only; empty if it does not."""
    if uri[:1].isspace():
        return "Remove the blanks before it."
    letters = _LETTERS.match(uri)
    scheme = letters[1].lower() if letters else ""
    if scheme != "file" and f"{scheme}://" in KSERVE_PREFIXES and not uri.startswith(f"{scheme}://"):
        return f"Write {scheme}://{uri[len(scheme) + 1 :].lstrip('/')}."
    if _LIKE_REPOSITORY.fullmatch(uri):
        return f"For a model of Hugging Face, write hf://{uri}. Otherwise: {_FROM_HERE}"
    is_path = not _SCHEME.search(uri) or scheme == "file"
    return _ADVICE.get(scheme) or (_FROM_HERE if is_path else "")


def fault_of_place(uri: str) -> str:
    """Why KServe's downloader finds no files at a uri of a kind that it supports; empty if it may."""
    scheme, _, place = uri.partition("://")
    if uri[-1:].isspace():
        return "ends with blanks"
    if scheme in _AUTHORITIES and not place.partition("/")[0]:
        return f"names no {_AUTHORITIES[scheme]}"
    if scheme == "hf" and (place.count("/") != 1 or place.startswith("/") or place.endswith("/")):
        return "is not of the form hf://<organization>/<model>, or hf://<organization>/<model>:<revision>"
    page = _WEB_PAGE.match(uri)
    return f"is a web page, and not the files of the model: write hf://{page[1]}" if page else ""


def is_in_pods(uri: str) -> bool:
    """Whether the uri is a path that a container may have, and not one of another machine or of another program."""
    return not _LETTERS.match(uri) or uri.startswith("file:")


def _finds(pattern: str, uri: str) -> bool:
    """Whether the pattern matches. A pattern that only Go understands counts as matching, to refuse nothing wrongly."""
    try:
        return bool(re.search(pattern, uri))
    except re.error:
        return True
