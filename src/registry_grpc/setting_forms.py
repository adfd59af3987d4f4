"""How settings are written: each type checks its text, and its error says what to write instead."""

from __future__ import annotations

import re
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from registry_grpc.domain.webhook import networks_of

_T = TypeVar("_T", bound=str | None)
_AN_ISSUER = "write a URL such as https://issuer.example, without a query"


def _written_as(form: str, text: str) -> AfterValidator:
    def check(value: _T) -> _T:
        if value is not None and not re.fullmatch(form, value):
            raise ValueError(text)
        return value

    return AfterValidator(check)


def _each_written_as(form: str, text: str) -> AfterValidator:
    def check(value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(form, each) for each in value):
            raise ValueError(text)
        return value

    return AfterValidator(check)


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _check_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        networks_of(value)
    except ValueError as error:
        raise ValueError(f"write networks such as 10.1.0.0/16: {error}") from error
    return value


def _check_database_url(value: SecretStr | None) -> SecretStr | None:
    """Checked here, because errors of urllib and asyncpg quote parts of a URL, such as the password."""
    if value is not None and not _is_database_url(value.get_secret_value()):
        raise ValueError(
            "write postgresql://user:password@host:port/database, with special characters of the password as %XX"
        )
    return value


def _is_database_url(text: str) -> bool:
    try:
        scheme, place, path, query, fragment = urlsplit(text)
        parse_qsl(query, strict_parsing=bool(query))
        # If a password has an unescaped / ? or #, its beginning is parsed as the port, and the rest as the path.
        ports = [urlsplit(f"//{host}").port for host in place.rpartition("@")[2].split(",")]
    except ValueError:
        return False
    return scheme in {"postgresql", "postgres"} and "@" not in path + fragment and 0 not in ports


Host = Annotated[
    str,
    _written_as(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?", "write an address such as 127.0.0.1 or ::, without a port"),
]
IssuerUrl = Annotated[str, _written_as(r"https?://[^\s?#]+", _AN_ISSUER)]
UiIssuerUrl = Annotated[str, _written_as(r"(https?://[^\s?#;,'\"]+)?", _AN_ISSUER)]
"""It may be empty. The gateway writes it into a header, in which some characters have a meaning."""
DatabaseUrl = Annotated[SecretStr | None, AfterValidator(_check_database_url)]
TracesUrl = Annotated[
    str | None,
    _written_as(
        r"https?://[^\s?#@]+",
        "it, or OTEL_EXPORTER_OTLP_ENDPOINT in its place, must be a URL such as http://collector:4318; write "
        "credentials into OTEL_EXPORTER_OTLP_HEADERS",
    ),
]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""With commas between them."""
Networks = Annotated[Words, AfterValidator(_check_networks)]
Origins = Annotated[
    Words,
    _each_written_as(
        r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::(?:\d+|\*))?",
        "write origins as browsers send them: http://localhost:5173, https://app.example, http://x:*",
    ),
]
# Texts of another form would match nothing.
Namespaces = Annotated[
    Words, _each_written_as(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", "write names of namespaces, such as models,staging")
]
Objects = Annotated[Words, _each_written_as(r"[^/\s]+/[^/\s]+", "write pairs `namespace/name`, such as models/*")]
Variables = Annotated[Words, _each_written_as(r"[A-Za-z0-9_.*?\[\]!-]+", "write names such as HF_HOME,MY_*")]
ModelFormats = Annotated[
    Words,
    _each_written_as(
        r"[^=]*[^=\s]\s*=\s*[^=\s][^=]*",
        "write pairs `framework=format`, such as h2o=mlflow, with commas between them",
    ),
]
