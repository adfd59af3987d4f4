"""The paths of the files that belong to the program but are not code: `migrations`, `gateway`, `deploy/kubernetes`.

An installed package contains them (setup.py copies them). In a checkout, they are next to `src`.
"""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).resolve().parent / "_shipped"
PROJECT_ROOT = _INSTALLED if _INSTALLED.is_dir() else _INSTALLED.parents[2]
MIGRATIONS = PROJECT_ROOT / "migrations"
GATEWAY = PROJECT_ROOT / "gateway"
