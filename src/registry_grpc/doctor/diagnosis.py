"""The result of a check: one line for a person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """MISSING: the service cannot work. WARNING: it can. SKIPPED: the check was not possible."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "MISSING"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check. `advice` says what to do."""

    verdict: Verdict
    about: str
    text: str
    advice: str = ""
    missing_permissions: tuple[str, ...] = ()
    """For example `create secrets`. If there are any, the RBAC to apply is printed."""

    def __str__(self) -> str:
        return f"{self.verdict:<8} {self.about}: {self.text}{f' -> {self.advice}' if self.advice else ''}"


def ok(about: str, text: str) -> Diagnosis:
    return Diagnosis(Verdict.OK, about, text)


def warning(about: str, text: str, advice: str) -> Diagnosis:
    return Diagnosis(Verdict.WARNING, about, text, advice)


def missing(about: str, text: str, advice: str) -> Diagnosis:
    return Diagnosis(Verdict.MISSING, about, text, advice)


def skipped(about: str, text: str, advice: str = "") -> Diagnosis:
    return Diagnosis(Verdict.SKIPPED, about, text, advice)
