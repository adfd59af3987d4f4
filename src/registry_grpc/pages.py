"""The pages that the gateway serves to people: what of them depends on the settings and on the release."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from registry_grpc.settings import AuthKind, Settings
from registry_grpc.shipped import GATEWAY

UI_CONFIG = "config.json"
"""The file in `gateway/web` that is written for each gateway. All others are the same everywhere."""
_BLOCK = re.compile(r"^ +# Pages: .*?# The end of the pages\.\n", re.MULTILINE | re.DOTALL)
_PATH_FILTER = '{header_filter: {header: {name: ":path", string_match: {%s}}}}'
_SOME_VERSIONS = _PATH_FILTER % r"safe_regex: {regex: '/(ui/app|docs/init|docs/reference)\.(js|css)\?v=\w+'}"
_NAMED = re.compile(r'"(/[\w/]+\.(?:js|css)\?v=\w+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where the web UI gets tokens, by OpenID Connect's code flow with PKCE."""

    issuer: str
    client_id: str
    scopes: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UiConfig:
    """What the web UI reads from /ui/config.json. Everybody may read it."""

    auth: AuthKind = AuthKind.OFF
    oidc: Login | None = None
    project: str | None = None
    """The project to begin with."""

    @property
    def text(self) -> str:
        version = importlib.metadata.version("registry-grpc")
        return json.dumps({"version": version, **asdict(self)})

    def write(self, folder: Path) -> None:
        """Into the folder of a gateway."""
        (folder / "web").mkdir(exist_ok=True)
        (folder / "web" / UI_CONFIG).write_text(self.text + "\n")


def ui_config(settings: Settings) -> UiConfig:
    """With the login of the settings, if they have one."""
    login = None
    if settings.ui_issuer:
        login = Login(issuer=settings.ui_issuer, client_id=settings.ui_client_id, scopes=settings.ui_scopes)
    return UiConfig(auth=AuthKind.OFF if settings.auth is AuthKind.OFF else AuthKind.REQUIRED, oidc=login)


def with_pages(envoy_yaml: str, config: UiConfig) -> str:
    """Let the UI call the issuer, and let browsers keep the files that the index.html of this release names, and only
    those. During an update, another gateway may answer with the file of its own release, which must not be kept."""
    named = [
        name
        for folder in ("ui", "docs")
        for name in _NAMED.findall((GATEWAY / "web" / folder / "index.html").read_text())
    ]
    # Not one regex of all names: Envoy refuses one that is as long.
    exact = ", ".join(_PATH_FILTER % f'exact: "{name}"' for name in named)
    text = envoy_yaml.replace(_SOME_VERSIONS, f"{{or_filter: {{filters: [{exact}]}}}}")
    if config.oidc is None:
        return text
    scheme, place, *_ = urlsplit(config.oidc.issuer)
    return text.replace("connect-src 'self'", f"connect-src 'self' {scheme}://{place}")


def without_pages(envoy_yaml: str) -> str:
    return _BLOCK.sub("", envoy_yaml)
