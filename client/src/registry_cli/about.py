"""`registry version` and `registry open`."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from registry_cli import completion, names, output
from registry_cli.errors import CommandError


def client_version() -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version("registry-grpc-client")
    except importlib.metadata.PackageNotFoundError:  # run from the sources
        return "unknown"


def version() -> None:
    from registry_cli.session import client

    url = client().url
    output.show_values({"client": client_version(), "registry": _registry_version(url), "url": url})


def open_(
    what: Annotated[
        str, Parameter(completer=completion.versions, help="A model or a version. Default: the first page.")
    ] = "",
    /,
) -> None:
    import webbrowser

    from registry_cli.session import client

    here = client()
    address = f"{here.url}/ui/" + (f"p/{here.project}/models" if here.project else "")
    if "@" in what or ":" in what:
        version = names.version(what)
        address += f"/{version.registered_model_id}/versions/{version.id}"
    elif what:
        address += f"/{names.model_id(what)}"
    print(address)
    if sys.stdout.isatty():
        webbrowser.open(address)


def _registry_version(url: str) -> str:
    """That of the document of its REST API, which the gateway serves with its pages."""
    from registry_cli.login import fetch

    try:
        return str(fetch(f"{url}/openapi.json")["info"]["version"])
    except (CommandError, LookupError, TypeError):
        return "unknown"
