"""Cuts secrets out of texts that others have written, such as logs."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

from registry_grpc.domain.model_version import Credentials

HIDDEN = "[hidden]"
_SHORTEST = 4
"""Shorter keys are no secrets, and hiding them would make texts unreadable."""
_LINE = 16
"""The least length of a line of a key of several lines, such as one in PEM, that is hidden on its own."""
# Keys that the registry does not know, in the forms in which programs print them. The pattern begins with the word that
# gives them away, because to try every beginning of a name before it would take hours for a long text.
_LOOKS_SECRET = re.compile(
    r"""(?ix)
    ( (?:secret|token|passw(?:or)?d|authorization|credential|signature|(?:access|api|account)[_-]?key)[\w.-]{0,64}
      ["']?\s*[:=]\s*["']?(?:(?:bearer|basic)\s+)? | \b(?:bearer|basic)\s+ )
    [^\s"'&,;]{4,}
    """
)
_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)")


def redacted(text: str, keys: Iterable[Credentials]) -> str:
    """The text without these keys in any usual form, and without what looks like another one."""
    for secret in sorted(set(_forms(keys)), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _IN_URL.sub(rf"\1{HIDDEN}", _LOOKS_SECRET.sub(rf"\1{HIDDEN}", text))


def _forms(keys: Iterable[Credentials]) -> Iterable[str]:
    for pair in keys:
        yield base64.b64encode(f"{pair.access_key}:{pair.secret_key}".encode()).decode()
        for key in (pair.access_key, pair.secret_key):
            lines = [line.strip() for line in key.replace("\\n", "\n").splitlines()]
            for secret in (key, *(line for line in lines if len(line) >= _LINE)):
                if len(secret) >= _SHORTEST:
                    yield from (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode())
