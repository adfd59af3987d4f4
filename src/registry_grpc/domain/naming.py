"""Names of InferenceServices: what KServe makes of them limits them.

KServe accepts longer names and fails later: it derives the pod label `isvc.<name>-predictor` and the DNS label
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
    """How many characters a name may have in this namespace; below 1 when no name fits."""
    return min(_LONGEST_NAME, _LONGEST_NAME_AND_NAMESPACE - len(namespace))


def deployment_name(slug: str, version_id: UUID, namespace: str) -> str:
    """`<slug>-<first 8 hex digits of the version's id>`, made valid where it is not (quirk Q19).

    The slug loses what a name cannot begin with and what is too long; `model` stands in for nothing left, cut as well.
    In a namespace too long for any such name the result breaks the limit, which `name_findings` then reports.
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
    """What is wrong with a name in a namespace, with the arithmetic in the message."""
    if not _NAME.fullmatch(name):
        rule = "lower-case letters, digits and `-` only, beginning with a letter and not ending with `-`"
        yield Finding(Why.NAME_INVALID, f"`{name}` is no name for an InferenceService: {rule}", field="name")
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
    hint = f"Give a `name` of at most {room} characters." if room > 0 else "Deploy into a namespace of a shorter name."
    message = f"`{name}` has {len(name)} characters, at most {max(room, 0)} fit: {why}"
    return Finding(Why.NAME_TOO_LONG, message, hint=hint, field="name")


def namespace_findings(namespace: str) -> tuple[Finding, ...]:
    """What is wrong with the name of a namespace."""
    if _NAMESPACE.fullmatch(namespace) and len(namespace) <= _LONGEST_LABEL:
        return ()
    rule = f"at most {_LONGEST_LABEL} lower-case letters, digits and `-`, beginning and ending with a letter or digit"
    message = f"`{namespace}` is no name for a namespace: {rule}"
    return (Finding(Why.NAMESPACE_INVALID, message, field="serving_environment_id"),)
