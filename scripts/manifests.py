"""Makes deploy/kubernetes from deploy/chart: `make manifests`.

It needs helm: see tests/cluster/helm.py. `--check` only says whether the files are up to date.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from tests.cluster import helm

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "deploy" / "chart"
TARGET = ROOT / "deploy" / "kubernetes"
_VALUES = CHART / "ci" / "manifests-values.yaml"
_ORIGIN = """\
# Made from deploy/chart by `make manifests`; change it there. Lines to adapt to a deployment are marked CHANGE.
#
"""
_RBAC = """\
# The registry's permissions in a cluster: exactly those that it uses (a test compares this file with the code).
# Workers, which take requests, only read; controllers also write. Apply it once for each namespace to which serving
# environments deploy, and list these namespaces in REGISTRY_WATCH_NAMESPACES:
#   kubectl apply --namespace <target namespace> -f deploy/kubernetes/rbac.yaml
#
# To deploy to every namespace instead, leave REGISTRY_WATCH_NAMESPACES empty, and add
#   for part in worker controller; do kubectl create clusterrolebinding registry-grpc-$part \\
#     --clusterrole=registry-grpc-$part --serviceaccount=<namespace>:registry-grpc-$part; done
"""
_REGISTRY = """\
# The registry: gateway and workers in one pod, controllers in another, in any namespace. First apply secret.yaml,
# rbac.yaml and migrate.yaml. docs/operations.md describes all steps.
"""
_MIGRATE = """\
# Run it before you roll out a release: kubectl replace --force -f deploy/kubernetes/migrate.yaml
"""
_NETWORK = """\
# It needs a network plugin that enforces policies.
"""
_BINDINGS = """\
# Grants the permissions of rbac.yaml in a namespace to which models are deployed, for users of Kustomize.
"""
# The file, what it begins with, the templates that it is made of, and the kinds, if not all.
_FILES = (
    ("rbac.yaml", _RBAC, ("rbac",), ()),
    ("registry.yaml", _REGISTRY, ("accounts", "configuration", "server", "controller"), ()),
    ("migrate.yaml", _MIGRATE, ("migrate",), ()),
    ("network.yaml", _NETWORK, ("network",), ()),
    ("bindings/bindings.yaml", _BINDINGS, ("rbac",), ("RoleBinding",)),
)
# What only helm needs, and the namespace of the bindings, which kubectl gets by --namespace.
_DROPPED = (
    r"^ *annotations: \{helm\.sh/hook.*\n",
    r"^ *annotations:\n *checksum/configuration: .*\n",
    r", app\.kubernetes\.io/managed-by: Helm, helm\.sh/chart: [^,}]+",
    r"^  namespace: models\n",
)
_REMARKS = (
    (r"image: registry-grpc:", "name@sha256:…, which your registry tells"),
    (r"image: envoyproxy/envoy:", "name@sha256:…, as `docker buildx imagetools inspect` prints it"),
    (r"namespace: model-registry$", "where the registry runs"),
    (r"REGISTRY_OPERATORS:", "who creates projects; docs/access.md"),
    (r"REGISTRY_ISSUERS:", "whose tokens are accepted"),
    (r"REGISTRY_WATCH_NAMESPACES:", "every namespace to which rbac.yaml was applied"),
    (r"port: 5432\}\]", "PostgreSQL; narrow it with `to`"),
    (r"port: 8080\}\]", "narrow it with `from`"),
)


def made(program: Path) -> dict[str, str]:
    """The files by their paths in deploy/kubernetes."""
    command = ("template", "registry-grpc", str(CHART), "--namespace", "model-registry", "--values", str(_VALUES))
    rendered = subprocess.run([str(program), *command], capture_output=True, text=True, check=True).stdout
    parts: dict[str, list[str]] = {}
    for part in rendered.split("---\n# Source: ")[1:]:
        source, _, text = part.partition("\n")
        parts.setdefault(Path(source).stem, []).append(_plain(text))
    files = {}
    for name, introduction, templates, kinds in _FILES:
        chosen = [text for template in templates for text in parts[template] if not kinds or _kind(text) in kinds]
        files[name] = _ORIGIN + introduction + "---\n".join(chosen)
    return files


def _plain(text: str) -> str:
    for pattern in _DROPPED:
        text = re.sub(pattern, "", text, flags=re.MULTILINE)
    for pattern, remark in _REMARKS:
        text = re.sub(rf"^(.*{pattern}.*)$", rf"\1  # CHANGE: {remark}", text, flags=re.MULTILINE)
    return text.strip("\n") + "\n"


def _kind(text: str) -> str:
    found = re.search(r"^kind: (\w+)", text, re.MULTILINE)
    return found[1] if found else ""


def differences(files: dict[str, str]) -> list[str]:
    """Which files are not up to date."""
    return [name for name, text in files.items() if not (TARGET / name).exists() or (TARGET / name).read_text() != text]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether the files are up to date")
    check = parser.parse_args().check
    try:
        files = made(helm.find())
    except helm.HelmMissing as error:
        sys.exit(str(error))
    changed = differences(files)
    if check and changed:
        sys.exit("deploy/kubernetes is not up to date, run `make manifests`: " + ", ".join(changed))
    for name in changed:
        (TARGET / name).parent.mkdir(exist_ok=True)
        (TARGET / name).write_text(files[name])


if __name__ == "__main__":
    main()
