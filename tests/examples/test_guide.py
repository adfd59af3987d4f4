"""The commands of docs/api.md, which a newcomer pastes into one shell."""

from __future__ import annotations

import re
import subprocess

import pytest
from tests.e2e.stack import Addresses
from tests.examples.builds import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_every_command_of_the_guide_works(stack: Addresses) -> None:
    guide = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    commands = "\n".join(re.findall(r"^```sh\n(.+?)^```$", guide, flags=re.MULTILINE | re.DOTALL))
    port = stack.target.rpartition(":")[2]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "PORT": port},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    refusals = re.findall(r"\|\| echo '(.+?)'", commands)
    assert [line for line in done.stdout.splitlines() if line in refusals] == refusals
