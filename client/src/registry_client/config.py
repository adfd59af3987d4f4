"""Which registry a client connects to, and as whom: arguments, environment variables, and the file of contexts.

current: staging
contexts:
  staging:
    url: https://registry.example.com
    project: 11111111-1111-1111-1111-111111111111
    token_file: /var/run/registry/token
"""

from __future__ import annotations

import contextlib
import difflib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from registry_client.errors import ConfigError

DEFAULT_URL: Final = "http://127.0.0.1:8080"
CONTEXT_VARIABLE: Final = "REGISTRY_CONTEXT"
# Where `registry-grpc export` has a variable for the same thing, it has the same name.
VARIABLES: Final = {
    "url": "REGISTRY_URL",
    "project": "REGISTRY_PROJECT",
    "user": "REGISTRY_USER",
    "token": "REGISTRY_TOKEN",
    "token_file": "REGISTRY_TOKEN_FILE",
    "ca": "REGISTRY_GATEWAY_CA",
    "server_name": "REGISTRY_GATEWAY_NAME",
    "certificate": "REGISTRY_CLIENT_CERTIFICATE",
    "key": "REGISTRY_CLIENT_KEY",
}
_TOKENS = ("token", "token_file", "token_command")


@dataclass(frozen=True)
class Context:
    """One registry, and how to call it. What is empty is not set."""

    url: str = ""
    project: str = ""
    """The UUID of the project."""
    user: str = ""
    """The caller's name for the history, which the registry believes while authentication is off."""
    token: str = field(default="", repr=False)
    token_file: str = ""
    """A file with the token, which is read again for every call."""
    token_command: str = ""
    """A command that prints the token, which is run again when the token expires."""
    ca: str = ""
    """A file with the certificates, in PEM, by which the registry is trusted. Empty: those of the system."""
    certificate: str = ""
    """A file with the certificate of this client, in PEM."""
    key: str = ""
    """A file with the private key of that certificate, in PEM."""
    server_name: str = ""
    """The name that the registry's certificate must have. Empty: that of the url."""


NAMES: Final = tuple(each.name for each in fields(Context))


@dataclass(frozen=True)
class Config:
    """The content of the file."""

    contexts: Mapping[str, Context] = field(default_factory=dict)
    current: str = ""
    """The name of the context that is used if none is named."""

    def context(self, name: str) -> Context:
        """Raises ConfigError."""
        if name not in self.contexts:
            known = ", ".join(sorted(self.contexts)) or "none"
            raise ConfigError(f"There is no context {name!r} in {path()}. Contexts: {known}.")
        return self.contexts[name]

    def with_context(self, name: str, context: Context, *, is_current: bool = True) -> Config:
        """A copy in which the context was added or replaced."""
        return Config({**self.contexts, name: context}, name if is_current else self.current)

    def without_context(self, name: str) -> Config:
        """A copy without the context. Raises ConfigError."""
        self.context(name)
        rest = {key: value for key, value in self.contexts.items() if key != name}
        return Config(rest, "" if self.current == name else self.current)


def path() -> Path:
    """Where the file is: `$XDG_CONFIG_HOME/registry/config.yaml`, or `~/.config/registry/config.yaml`."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "registry" / "config.yaml"


def load(file: Path | None = None) -> Config:
    """Read the file. Without one, there are no contexts. Raises ConfigError."""
    file = file or path()
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "this is not text in UTF-8"
        raise ConfigError(f"{file}: {cause}.") from None
    content = _mapping(parsed(text, f"{file}") or {}, f"{file}", ("current", "contexts"))
    contexts = _mapping(content.get("contexts") or {}, f"{file}: contexts", None)
    read = {name: _context(value, f"{file}: context {name}") for name, value in contexts.items()}
    current = str(content.get("current") or "")
    if current and current not in read:
        raise ConfigError(f"{file}: current: there is no context {current!r}.")
    return Config(read, current)


def parsed(text: str, place: str) -> Any:
    """The content of a YAML file. Raises ConfigError with the line, which is not quoted: it may have a token."""
    import yaml  # noqa: PLC0415 - most programs have no such file

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise ConfigError(f"{place}: {line}this is not valid YAML.") from None


def save(config: Config, file: Path | None = None) -> Path:
    """Write the file. Returns where it is."""
    import yaml  # noqa: PLC0415

    file = file or path()
    contexts = {
        name: {key: value for key, value in asdict(each).items() if value} for name, each in config.contexts.items()
    }
    content = {**({"current": config.current} if config.current else {}), "contexts": contexts}
    write_private(file, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    return file


def write_private(file: Path, content: str) -> None:
    """Write the file in one step, for nobody else to read."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # with mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as target:
            target.write(content)
        Path(temporary).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def resolve(given: Context | None = None, context: str = "", environment: Mapping[str, str] | None = None) -> Context:
    """What a client uses: the arguments; then the named context; then the variables; then the context of
    REGISTRY_CONTEXT, or the current one of the file.

    What belongs to another url than the one that is used is left out, so that no token is sent to another registry.
    Raises ConfigError.
    """
    environment = os.environ if environment is None else environment
    result = Context()
    for layer in _layers(given or Context(), context, environment):
        if result.url and layer.url and _bare(result.url) != _bare(layer.url):
            continue
        if any(getattr(result, name) for name in _TOKENS):
            layer = replace(layer, token="", token_file="", token_command="")  # noqa: PLW2901 - a token hides all others
        result = replace(result, **{name: getattr(result, name) or getattr(layer, name) for name in NAMES})
    return result if result.url else replace(result, url=DEFAULT_URL)


def _layers(given: Context, context: str, environment: Mapping[str, str]) -> Iterator[Context]:
    yield given
    if context:
        yield load().context(context)
    yield Context(**{name: environment.get(variable, "") for name, variable in VARIABLES.items()})
    if context:
        return
    config = load()
    if name := environment.get(CONTEXT_VARIABLE) or config.current:
        yield config.context(name)


def _bare(url: str) -> str:
    return url.rstrip("/").casefold()


def _mapping(value: Any, place: str, names: tuple[str, ...] | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{place}: this must be a mapping of names to values.")
    for name in value:
        if names is not None and name not in names:
            nearest = difflib.get_close_matches(str(name), names, n=1, cutoff=0)[0]
            raise ConfigError(f"{place}: there is no setting {name!r}; the name most like it is {nearest!r}.")
    return {str(key): each for key, each in value.items()}


def _context(value: Any, place: str) -> Context:
    values = _mapping(value, place, NAMES)
    for name, each in values.items():
        if not isinstance(each, str):
            raise ConfigError(f"{place}: {name} must be a text.")
    return Context(**values)
