"""Prints help in two columns. It needs less of rich than the formatters of cyclopts, so that help appears at once."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console

_NAMES = 26
_MAX_WIDTH = 110


class Formatter:
    """The help formatter of an app."""

    def __call__(self, console: Console, options: object, panel: HelpPanel) -> None:  # noqa: ARG002
        if not panel.entries:
            return
        print(f"{panel.title}:")
        for entry in panel.entries:
            _print_entry(", ".join(entry.display_labels_with_metavar), _about(entry), _width(console))
        print()

    def render_usage(self, console: object, options: object, usage: Any) -> None:  # noqa: ARG002
        print(f"Usage: {_text(usage).strip()}\n")

    def render_description(self, console: Console, options: object, description: Any) -> None:  # noqa: ARG002
        for paragraph in _text(description).strip().split("\n\n"):
            print(textwrap.fill(" ".join(paragraph.split()), _width(console), break_on_hyphens=False) + "\n")


def _about(entry: HelpEntry) -> str:
    text = _text(entry.description)
    if not entry.display_labels[0].startswith("-") and not entry.positional_label:
        text = text.partition(". ")[0].rstrip(".") + "."  # of a command, the first sentence
    notes = (
        f"Choices: {', '.join(entry.choices)}." if entry.choices else "",
        f"Default: {entry.default}." if entry.default is not None else "",
        "Required." if entry.required and not entry.positional_label else "",
    )
    return " ".join(part for part in (" ".join(text.split()), *notes) if part)


def _print_entry(names: str, about: str, width: int) -> None:
    lines = textwrap.wrap(about, width - _NAMES - 4, break_on_hyphens=False) or [""]
    if len(names) > _NAMES:
        print(f"  {names}")
        names = ""
    for line in lines:
        print(f"  {names:{_NAMES}}  {line}".rstrip())
        names = ""


def _text(shown: Any) -> str:
    """The plain text of what cyclopts would print by rich."""
    if shown is None:
        return ""
    shown = getattr(shown, "primary_renderable", shown)
    return str(getattr(shown, "plain", shown))


def _width(console: Console) -> int:
    return min(console.width, _MAX_WIDTH) if sys.stdout.isatty() else _MAX_WIDTH
