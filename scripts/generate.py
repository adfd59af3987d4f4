"""Generate the Python stubs under src/registry_grpc/gen from proto/.

`--check` generates into a temporary folder and fails if the result differs from the committed files.
protoc has no option for a Python package prefix, so the imports of the generated files are rewritten here.
"""

from __future__ import annotations

import argparse
import filecmp
import re
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "proto"
THIRD_PARTY = ROOT / "third_party" / "proto"
GENERATED = ROOT / "src" / "registry_grpc" / "gen"
PACKAGE = "registry_grpc.gen"
_IMPORT = re.compile(r"^(from|import) (modelregistry|buf)\b", re.MULTILINE)
# The stubs need its descriptor. No package that the service needs otherwise has it.
RULES = "buf/validate/validate.proto"


def generate(target: Path) -> None:
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    well_known = str(files("grpc_tools") / "_proto")
    folders = [f"-I{PROTOS}", f"-I{THIRD_PARTY}", f"-I{well_known}", f"--python_out={target}"]
    stubs = [f"--pyi_out={target}", f"--grpc_python_out={target}"]
    for arguments in ([*folders, *stubs, *sources], [*folders, RULES]):
        if protoc.main(["protoc", *arguments]) != 0:
            sys.exit("protoc failed")
    for path in [*target.rglob("*.py"), *target.rglob("*.pyi")]:
        text = path.read_text()
        path.write_text(_IMPORT.sub(rf"\1 {PACKAGE}.\2", text))
    for folder in {target, *(path for path in target.rglob("*") if path.is_dir())}:
        (folder / "__init__.py").write_text("")


def differences(left: Path, right: Path) -> list[str]:
    names = {path.relative_to(root) for root in (left, right) for path in root.rglob("*.py*") if path.suffix != ".pyc"}
    return [str(name) for name in sorted(names) if not _are_equal(left / name, right / name)]


def _are_equal(left: Path, right: Path) -> bool:
    return left.exists() and right.exists() and filecmp.cmp(left, right, shallow=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether the committed stubs are up to date")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        generate(target)
        if check:
            changed = differences(target, GENERATED)
            if changed:
                sys.exit("generated code is not up to date, run `make generate`: " + ", ".join(changed))
            return
        shutil.rmtree(GENERATED, ignore_errors=True)
        shutil.copytree(target, GENERATED)


if __name__ == "__main__":
    main()
