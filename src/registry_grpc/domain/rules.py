"""Rules for single fields that all aggregates share (contract 0.5, 0.7).

The sizes are chosen so that any object of a list fits into a gRPC message of 4 MiB, the default limit of clients:
description, labels, tags and properties of a model at their limits have 4,064 KiB together, and
so have description, labels, properties, readme and metadata of a version.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.properties import Properties

MOST_VERSIONS = 100
"""How many versions one request may name."""

_KIBIBYTE = 1024


def _bytes_of(text: str) -> int:
    return len(text.encode())


def _bytes_in_json(text: str) -> int:
    """The bytes of a text in JSON, where escapes can make it six times as long. It is measured in JSON so that a REST
    answer with a model and two versions is not too large."""
    plain = _bytes_of(text)
    return plain if 6 * plain <= DESCRIPTION.limit else len(json.dumps(text, ensure_ascii=False).encode()) - len('""')


def _bytes_of_labels(labels: Mapping[str, str]) -> int:
    return sum(_bytes_of(key) + _bytes_of(value) + 8 for key, value in labels.items())


def _bytes_of_properties(properties: Properties) -> int:
    strings = (value.get("string", "") for value in properties.values())
    return sum(_bytes_of(key) + 32 for key in properties) + sum(map(_bytes_of, strings))


def _bytes_of_tags(tags: Iterable[Iterable[str]]) -> int:
    return sum(_bytes_of(text) + 4 for texts in tags for text in texts)


def _bytes_of_json(value: Any) -> int:
    if isinstance(value, str):
        return 16 + _bytes_of(value)
    if isinstance(value, Mapping):
        return 16 + sum(_bytes_of(key) + _bytes_of_json(each) for key, each in value.items())
    return 16 + (sum(map(_bytes_of_json, value)) if isinstance(value, list) else 0)


class Size(NamedTuple):
    """The largest size of a field in bytes, how it is measured, and the text of the rule."""

    limit: int
    measure: Callable[[Any], int]
    rule: str


DESCRIPTION = Size(3072 * _KIBIBYTE, _bytes_in_json, "must be at most 3 MiB in JSON")
LABELS = Size(
    704 * _KIBIBYTE,
    _bytes_of_labels,
    "must be at most 704 KiB in UTF-8, counting 8 bytes for each entry on top of its key and value",
)
TAGS = Size(
    256 * _KIBIBYTE,
    _bytes_of_tags,
    "must be at most 256 KiB in UTF-8, counting 4 bytes for each tag on top of its text",
)
PROPERTIES = Size(
    32 * _KIBIBYTE,
    _bytes_of_properties,
    "must be at most 32 KiB in UTF-8, counting 32 bytes for each entry on top of its key and string",
)
README = Size(128 * _KIBIBYTE, _bytes_of, "must be at most 128 KiB in UTF-8")
METADATA = Size(
    128 * _KIBIBYTE,
    _bytes_of_json,
    "must be at most 128 KiB in UTF-8, counting 16 bytes for each value on top of keys and strings",
)
LAST_ERROR = Size(64 * _KIBIBYTE, _bytes_of, "must be at most 64 KiB in UTF-8")


CONTRACT_LIMITS = {"name": 100, "uri": 500}
"""The limits of the contract's routes, which are narrower than those of gRPC."""


def limits_of(limits: Mapping[str, int], *, by_contract: bool) -> dict[str, int]:
    """The limits for the front end through which a request comes."""
    narrower = CONTRACT_LIMITS if by_contract else {}
    return {name: narrower.get(name, limit) for name, limit in limits.items()}


def check_fields(
    subject: Any,
    *,
    limits: Mapping[str, int],
    sizes: Mapping[str, Size] | None = None,
    required: Iterable[str] = (),
    others: Iterable[InvalidRequest] = (),
) -> None:
    """Raise InvalidRequest that names every field that is required but empty, longer than its limit or larger than its
    size, and the violations in `others`, the errors of the subject's own rules.

    Limits count characters (code points), sizes count bytes. UNSET fields of a patch are not checked.
    """
    violations = [Violation(field, "is required") for field in required if not getattr(subject, field)]
    violations += [
        Violation(field, f"must be at most {limit} characters", limit)
        for field, limit in limits.items()
        if isinstance(value := getattr(subject, field), str) and len(value) > limit
    ]
    violations += [
        Violation(field, size.rule, size.limit)
        for field, size in (sizes or {}).items()
        if (value := getattr(subject, field)) is not UNSET and size.measure(value) > size.limit
    ]
    errors = [*([InvalidRequest(violations)] if violations else []), *others]
    if errors:
        raise InvalidRequest.of_all(errors)


def version_count_errors(ids: tuple[object, ...]) -> list[InvalidRequest]:
    """An error if a request names too many versions."""
    if len(ids) <= MOST_VERSIONS:
        return []
    return [
        InvalidRequest([Violation("model_version_ids", f"must be at most {MOST_VERSIONS} versions", MOST_VERSIONS)])
    ]


def renaming_errors(name: object, message: str) -> list[InvalidRequest]:
    """An error with the contract's text if a patch would set an empty name (quirk Q28)."""
    return [InvalidRequest([Violation("name", "is required")], message)] if name == "" else []
