"""Write what the image consists of as a bill of materials (CycloneDX 1.6), when it is built: Python and all packages.

It only depends on these, so that the same image has the same one.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

NAME = "registry-grpc"


def component(kind: str, name: str, version: str, *, suffix: str = "", **further: Any) -> dict[str, Any]:
    """`kind` is the type of its package URL, such as `pypi`."""
    purl = f"pkg:{kind}/{name}@{quote(version, safe='')}{suffix}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, **further}


def python_packages() -> Iterator[dict[str, Any]]:
    of_the_base = sysconfig.get_path("purelib", vars={"base": sys.base_prefix})  # such as its pip
    for package in importlib.metadata.distributions(path=[*sys.path, of_the_base]):
        expression = package.metadata.get("License-Expression")
        licenses = {"licenses": [{"expression": expression}]} if expression else {}
        yield component("pypi", package.name.lower().replace("_", "-").replace(".", "-"), package.version, **licenses)


def debian_packages() -> Iterator[dict[str, Any]]:
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\n"]
    for line in subprocess.run(query, capture_output=True, check=True, text=True).stdout.splitlines():
        name, version, architecture = line.split()
        yield component("deb/debian", name, version, suffix=f"?arch={architecture}")


def bill() -> dict[str, Any]:
    python = component("generic", "python", platform.python_version())
    found = sorted([python, *python_packages(), *debian_packages()], key=lambda each: str(each["bom-ref"]))
    (itself,) = [each for each in found if each["purl"].startswith(f"pkg:pypi/{NAME}@")]
    components = [each for each in found if each is not itself]
    digest = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(found))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{digest}",
        "version": 1,
        "metadata": {"component": {**itself, "type": "application"}},
        "components": components,
    }


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=1)
