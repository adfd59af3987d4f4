"""Build the packages of stubs for other languages into dist/stubs: a Go module, an npm package and a jar for Maven.

A language whose tool is missing is left out. Whoever builds the same sources gets the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

ROOT: Final = Path(__file__).resolve().parent.parent
BUF: Final = str(Path(sys.executable).with_name("buf"))
BUILD: Final = ROOT / "build" / "stubs"
NAME: Final = "registry-grpc-stubs"
_MODULE: Final = "github.com/registrygrpc/registry-grpc/stubs/go"


def run(*command: str) -> None:
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        sys.exit(f"{' '.join(command)} failed")


def build_go(version: str, target: Path) -> None:
    """Zip the module as a Go proxy does. Its code is committed, because `go get` takes it from the repository."""
    run(BUF, "generate", "--template", "buf.gen.go.yaml")
    run("go", "-C", "stubs/go", "build", "./...")
    with ZipFile(target / f"{NAME}-go-{version}.zip", "w") as archive:
        for name, source in _files_of_the_module():
            archived = ZipInfo(f"{_MODULE}@v{version}/{name}")
            archive.writestr(archived, source.read_bytes(), compress_type=ZIP_DEFLATED)


def _files_of_the_module() -> Iterator[tuple[str, Path]]:
    folder = ROOT / "stubs" / "go"
    yield "LICENSE", ROOT / "LICENSE"
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def build_typescript(version: str, target: Path) -> None:
    source, package = ROOT / "stubs" / "typescript", BUILD / "typescript"
    run("npm", "ci", "--no-audit", "--no-fund", "--prefix", str(source))
    run(BUF, "generate", "--template", "buf.gen.ts.yaml")
    generated = sorted((package / "modelregistry" / "v1").glob("*_pb.js"))
    exports = "".join(f'export * from "./modelregistry/v1/{path.name}";\n' for path in generated)
    for name in ("index.js", "index.d.ts"):
        (package / name).write_text(exports)
    manifest = json.loads((source / "package.json").read_text())
    del manifest["devDependencies"]  # of the generator
    (package / "package.json").write_text(json.dumps(manifest | {"version": version}, indent=2) + "\n")
    for copied in (source / "README.md", ROOT / "LICENSE"):
        shutil.copy(copied, package)
    for path in package.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # npm packs the modes, which the umask decides
    run("npm", "pack", "--silent", "--pack-destination", str(target), str(package))


def build_java(version: str, target: Path) -> None:
    project = BUILD / "java"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    pom = (ROOT / "stubs" / "java" / "pom.xml").read_text()
    (project / "pom.xml").write_text(pom.replace("<version>0.0.0</version>", f"<version>{version}</version>", 1))
    for source in (ROOT / "LICENSE", *(ROOT / "proto").rglob("*.proto")):  # of which Maven would pack the modes, too
        copy = project / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    run("mvn", "--batch-mode", "--quiet", "-f", str(project), f"-Droot={project}", "package")
    for jar in (f"{NAME}-{version}.jar", f"{NAME}-{version}-sources.jar"):
        shutil.copyfile(project / "target" / jar, target / jar)
    shutil.copyfile(project / "pom.xml", target / f"{NAME}-{version}.pom")


_BUILDS: Final[dict[str, tuple[str, Callable[[str, Path], None]]]] = {
    "go": ("go", build_go),
    "typescript": ("npm", build_typescript),
    "java": ("mvn", build_java),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("languages", nargs="*", metavar="language", help=", ".join(_BUILDS) + "; all if none is named")
    parser.add_argument("--to", type=Path, default=ROOT / "dist" / "stubs", metavar="FOLDER")
    given = parser.parse_args()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    target = given.to.resolve()
    target.mkdir(parents=True, exist_ok=True)
    os.umask(0o022)  # Maven packs the modes of what is written here
    for language in given.languages or _BUILDS:
        tool, build = _BUILDS[language]
        if shutil.which(tool):
            print(f"builds the stubs for {language}", flush=True)
            build(version, target)
        else:
            print(f"no stubs for {language}: there is no {tool}", file=sys.stderr)
    print(f"the packages are in {target}")


if __name__ == "__main__":
    main()
