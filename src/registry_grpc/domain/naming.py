"""Names of InferenceServices and namespaces, and their limits.

KServe accepts names that are too long and fails later: it makes the pod label `isvc.<name>-predictor` and the DNS label
`<name>-predictor-<namespace>` from a name, and Kubernetes allows 63 characters for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID

from registry_grpc.domain.finding import Finding
from registry_grpc.domain.reason import DeploymentReason as Why

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST_LABEL = 63
_LONGEST_NAME = _LONGEST_LABEL - len("isvc.-predictor")
_LONGEST_NAME_AND_NAMESPACE = _LONGEST_LABEL - len("-predictor-")
_ID_LENGTH = 8


def longest_name(namespace: str) -> int:
    """How many characters a name may have in this namespace; below 1 if no name fits."""
    return min(_LONGEST_NAME, _LONGEST_NAME_AND_NAMESPACE - len(namespace))


def deployment_name(slug: str, version_id: UUID, namespace: str) -> str:
    """`<slug>-<first 8 hex digits of the version's id>`, changed if it is not a valid name (quirk Q19, decision 7).

    The slug loses the characters with which a name cannot begin, and is cut to the length that fits. If nothing is
    left, `model` is used, which is cut as well. If the namespace is too long for any such name, the result is too long,
    which `name_findings` reports.
    """
    suffix = f"-{version_id.hex[:_ID_LENGTH]}"
    name = f"{slug}{suffix}"
    room = longest_name(namespace)
    if _NAME.fullmatch(name) and len(name) <= room:
        return name
    longest_stem = max(room - len(suffix), 1)
    stem = slug.lstrip("-0123456789")[:longest_stem].rstrip("-")
    return f"{stem if _NAME.fullmatch(stem) else 'model'[:longest_stem]}{suffix}"


def name_findings(name: str, namespace: str) -> Iterator[Finding]:
    """The findings about a name in a namespace. The message shows how the limit is computed."""
    if not _NAME.fullmatch(name):
        rule = "must have only lower-case letters, digits and `-`, begin with a letter and not end with `-`"
        message = f"`{name}` is not a valid name for an InferenceService: it {rule}"
        yield Finding(Why.NAME_INVALID, message, field="name")
    if len(name) > longest_name(namespace):
        yield _too_long(name, namespace)


def _too_long(name: str, namespace: str) -> Finding:
    room = longest_name(namespace)
    if room == _LONGEST_NAME:
        why = f"{_LONGEST_LABEL} for the label `isvc.<name>-predictor` - {_LONGEST_LABEL - _LONGEST_NAME} = {room}"
    else:
        fixed = _LONGEST_LABEL - _LONGEST_NAME_AND_NAMESPACE
        why = (
            f"{_LONGEST_LABEL} for the host `<name>-predictor-<namespace>` - {fixed} - {len(namespace)} for the "
            f"namespace `{namespace}` = {room}"
        )
    hint = (
        f"Give a `name` of at most {room} characters." if room > 0 else "Deploy into a namespace with a shorter name."
    )
    message = f"`{name}` has {len(name)} characters, but at most {max(room, 0)} fit: {why}"
    return Finding(Why.NAME_TOO_LONG, message, hint=hint, field="name")


def namespace_findings(namespace: str) -> tuple[Finding, ...]:
    """The findings about the name of a namespace."""
    if _NAMESPACE.fullmatch(namespace) and len(namespace) <= _LONGEST_LABEL:
        return ()
    rule = "lower-case letters, digits and `-`, and begin and end with a letter or digit"
    message = f"`{namespace}` is not a valid name for a namespace: it must have at most {_LONGEST_LABEL} {rule}"
    return (Finding(Why.NAMESPACE_INVALID, message, field="serving_environment_id"),)
