"""What a check found out: one line for a person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """MISSING keeps the service from working; a warning does not; skipped says nothing either way."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "MISSING"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`advice` is what to do about it."""

    verdict: Verdict
    about: str
    text: str
    advice: str = ""
    missing_permissions: tuple[str, ...] = ()
    """For example `create secrets`; RBAC is what helps then."""

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
