"""Cuts secrets out of texts that others have written, such as logs."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from registry_grpc.domain.model_version import Credentials

HIDDEN = "[hidden]"
_SHORTEST = 4
"""Shorter keys are no secrets, and hiding them would make texts unreadable."""
_LINE = 16
"""The least length of a line of a key of several lines, such as one in PEM, that is hidden on its own."""
# Each pattern begins with the word that gives a secret away, and repeats nothing that it may have passed already, or
# to try every beginning of a name before the word would take hours for a long line.
_NAME = (
    r"(?:secret|token(?!i[sz]|s|_id)|passw(?:or)?d|passphrase|authorization|credential|signature"
    r"|(?:access|api|account|private|encryption)[_-]?key|(?<![a-z])pwd|\bsig(?==))"
)
_NAMES_SECRET = re.compile(_NAME, re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"""(?ix)
    ( {_NAME}[\w.-]{{0,64}} \\?["']?\s*[:=]\s*\\?["']?(?:(?:bearer|basic)\s+)? | \b(?:bearer|basic)\s+ )
    [^\s"'&,;\\]{{4,}}
    """
)
_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s]+(?=@)")
_AS_USER_OF_URL = re.compile(r"(://)[^/\s:@]{16,}(?=@)")
_KEY_BLOCK = re.compile(r"(-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----)[A-Za-z0-9+/=\s\\]+")
_OF_KNOWN_SHAPE = re.compile(
    r"\b(?:A[KS]IA[A-Z0-9]{16}|AIza[\w-]{35}|eyJ[\w-]{8,}(?:\.[\w-]*){1,4}"
    r"|(?:hf_|sk-|gh[pousr]_|github_pat_|glpat-|dapi|xox[abps]-|ya29\.)[\w-]{16,})"
)
"""Keys of AWS, Google, Hugging Face, OpenAI, GitHub, GitLab, Databricks and Slack, and JSON web tokens."""


def redacted(text: str, keys: Iterable[Credentials] = ()) -> str:
    """The text without these keys in any usual form, and without what looks like another one."""
    for secret in sorted(set(_forms(keys)), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _OF_KNOWN_SHAPE.sub(HIDDEN, text)
    for pattern in (_KEY_BLOCK, _ASSIGNED, _IN_URL, _AS_USER_OF_URL):
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def keys_in(environment: Mapping[str, str]) -> Iterator[Credentials]:
    """The values that their names call secret."""
    return (Credentials(secret_key=value) for name, value in environment.items() if _NAMES_SECRET.search(name))


def _forms(keys: Iterable[Credentials]) -> Iterable[str]:
    for pair in keys:
        if pair:
            yield base64.b64encode(f"{pair.access_key}:{pair.secret_key}".encode()).decode()
        for key in (pair.access_key, pair.secret_key):
            lines = [line.strip() for line in key.replace("\\n", "\n").splitlines()]
            for secret in (key, *(line for line in lines if len(line) >= _LINE)):
                if len(secret) >= _SHORTEST:
                    yield from (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode())
