"""The files that belong to the program and are no code: `migrations`, `gateway`, `deploy/kubernetes`.

They are in the package where it was installed (setup.py puts them there), and beside `src` in a checkout.
"""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).resolve().parent / "_shipped"
PROJECT_ROOT = _INSTALLED if _INSTALLED.is_dir() else _INSTALLED.parents[2]
MIGRATIONS = PROJECT_ROOT / "migrations"
GATEWAY = PROJECT_ROOT / "gateway"
