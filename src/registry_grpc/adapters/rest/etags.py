"""The entity tags of REST (RFC 9110), `"<etag of the object>.<checksum of the body>"`, and the field `etag` of gRPC.

A body may show more than its object, for example the latest version of a model. Therefore `If-None-Match` compares the
whole tag, and `If-Match` only the part of the object itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.etag import Etags

_ANY = "*"


def entity_tag(etag: str, body: bytes) -> str:
    return f'"{etag}.{crc32(body):x}"'


def etags_in(text: str) -> Etags:
    """Reads `If-Match` or the field `etag`. A weak tag counts like a strong one: when the gateway compresses an answer,
    it makes its tag weak, but the object's part is still that of one state of one row."""
    if text.strip() in {"", _ANY}:
        return None
    return tuple(tag.strip('"').partition(".")[0] for tag in _tags_in(text))


def check_conditions(headers: Mapping[str, str], *, takes_etag: bool) -> None:
    """Raises InvalidRequest for conditions of a change or deletion that are not checked. To ignore them could overwrite
    what the client has not seen."""
    errors = []
    if "if-none-match" in headers:
        errors.append(Violation("If-None-Match", "is only possible for reads: send If-Match"))
    if "if-match" in headers and not takes_etag:
        errors.append(Violation("If-Match", "is not possible here"))
    elif not headers.get("if-match", _ANY).strip():
        errors.append(Violation("If-Match", "must not be empty: send the ETag that was read, or *"))
    if errors:
        raise InvalidRequest(errors)


def is_among(tag: str, if_none_match: str) -> bool:
    return if_none_match.strip() == _ANY or tag in _tags_in(if_none_match)


def _tags_in(text: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in text.split(",")]
