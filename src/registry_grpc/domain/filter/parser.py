"""The grammar of filters (https://google.aip.dev/160) without functions and bare literals.

OR binds tighter than AND, as AIP-160 says, and conditions side by side are joined by AND. The time is linear in the
length of the text, which is limited, like its nesting and the number of its conditions.
"""

from __future__ import annotations

import re

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.filter.syntax import And, Comparison, Name, Node, Not, Operator, Or, Value, invalid, quoted

LONGEST = 4000
MOST_CONDITIONS = 20
DEEPEST = 10

_SPACE = re.compile(r"\s*")
_KEYWORD = re.compile(r"(AND|OR|NOT)(?![^\s()])")
_OPERATOR = re.compile(r"[<>!]=|[=<>:]")
_NAME = re.compile(r"[^\s()\"'=!<>:,.]+")
# A colon or a dot may be part of a value, so that times and uris need no quotes.
_VALUE = re.compile(r"[^\s()\"'=!<>,]+")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_PIECE = re.compile(r"\\.|\*|[^\\*]+", re.DOTALL)
_ESCAPES = frozenset("\\\"'*")
_EXAMPLE = 'write a condition such as state = "LIVE" or labels.team:*'


def parse(text: str) -> Node[Comparison] | None:
    """The tree of a filter; None if it is blank. Raises InvalidRequest."""
    if len(text) > LONGEST:
        raise InvalidRequest([Violation("filter", f"must be at most {LONGEST} characters", LONGEST)])
    parser = _Parser(text)
    if parser.is_at_end():
        return None
    tree = parser.expression()
    if not parser.is_at_end():
        raise invalid(parser.position, 'unexpected ")": no "(" is open')
    return tree


class _Parser:
    """Reads from left to right. Each method reads one rule of the grammar, after any space."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._conditions = 0
        self._depth = 0

    @property
    def position(self) -> int:
        return self._place + 1

    def is_at_end(self) -> bool:
        self._skip(_SPACE)
        return self._place == len(self._text)

    def expression(self) -> Node[Comparison]:
        terms = [self._factor()]
        while self._keyword("AND") or not (self.is_at_end() or self._is_at(")")):
            terms.append(self._factor())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _factor(self) -> Node[Comparison]:
        terms = [self._term()]
        while self._keyword("OR"):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _term(self) -> Node[Comparison]:
        if self._keyword("NOT") or self._takes("-"):
            return Not(self._simple())
        return self._simple()

    def _simple(self) -> Node[Comparison]:
        self._skip(_SPACE)
        opened = self.position
        if not self._takes("("):
            return self._comparison()
        self._depth += 1
        if self._depth > DEEPEST:
            raise invalid(opened, f"parentheses must not be nested more than {DEEPEST} deep")
        inside = self.expression()
        if not self._takes(")"):
            raise invalid(opened, '"(" is not closed: add ")"')
        self._depth -= 1
        return inside

    def _comparison(self) -> Comparison:
        self._skip(_SPACE)
        start = self.position
        if self._conditions == MOST_CONDITIONS:
            raise invalid(start, f"must have at most {MOST_CONDITIONS} conditions")
        self._conditions += 1
        path = self._path()
        self._skip(_SPACE)
        operator = self._skip(_OPERATOR)
        if not operator:
            if self._is_at("("):
                raise invalid(start, f"{quoted(path[-1].text)} is not a function: there are none; {_EXAMPLE}")
            raise invalid(start, f"{quoted(path[-1].text)} is not a condition: {_EXAMPLE}")
        return Comparison(path, Operator(operator), self._value(operator))

    def _path(self) -> tuple[Name, ...]:
        names = [self._name()]
        while self._text.startswith(".", self._place):
            self._place += 1
            names.append(self._name())
        return tuple(names)

    def _name(self) -> Name:
        position = self.position
        if word := _KEYWORD.match(self._text, self._place):
            raise invalid(position, f"{word[0]} stands where a condition must begin: {_EXAMPLE}")
        if self._is_quoted():
            return Name("".join(self._unescaped(is_pattern=False)), position)
        if name := self._skip(_NAME):
            return Name(name, position)
        raise invalid(position, f"{self._found()} where the name of a field must begin: {_EXAMPLE}")

    def _value(self, operator: str) -> Value:
        self._skip(_SPACE)
        position = self.position
        if self._is_quoted():
            return Value(self._unescaped(is_pattern=True), position, is_quoted=True)
        if word := _KEYWORD.match(self._text, self._place):
            raise invalid(position, f'a value must follow "{operator}": put {word[0]} in quotes if it is the value')
        if text := self._skip(_VALUE):
            if operator == Operator.HAS and ":" in text:
                raise invalid(position, f'{quoted(text)} has a second ":": put the value in quotes')
            return Value(tuple(text.split("*")), position)
        raise invalid(position, f'{self._found()} where a value must follow "{operator}": put other values in quotes')

    def _is_quoted(self) -> bool:
        return self._text.startswith(('"', "'"), self._place)

    def _unescaped(self, *, is_pattern: bool) -> tuple[str, ...]:
        """A quoted text, split at the wildcards of a pattern. In a text that is none, `*` is a letter like others."""
        start, quoted = self._place, self._skip(_QUOTED)
        if not quoted:
            raise invalid(self.position, f"the text in quotes does not end: add {self._text[start]}")
        parts, at = [""], start + 1
        for piece in _PIECE.findall(quoted[1:-1]):
            if piece == "*" and is_pattern:
                parts.append("")
            elif piece[0] == "\\" and piece[1] not in _ESCAPES:
                raise invalid(at + 1, f'unknown escape "{piece}": a backslash only escapes \\ " \' and *')
            else:
                parts[-1] += piece.removeprefix("\\") if len(piece) == 2 and piece[0] == "\\" else piece
            at += len(piece)
        return tuple(parts)

    def _keyword(self, word: str) -> bool:
        self._skip(_SPACE)
        found = _KEYWORD.match(self._text, self._place)
        if found is None or found[0] != word:
            return False
        self._place = found.end()
        return True

    def _takes(self, sign: str) -> bool:
        if is_there := self._is_at(sign):
            self._place += 1
        return is_there

    def _is_at(self, sign: str) -> bool:
        self._skip(_SPACE)
        return self._text.startswith(sign, self._place)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._place)
        if found is None:
            return ""
        self._place = found.end()
        return found[0]

    def _found(self) -> str:
        return f'unexpected "{self._text[self._place]}"' if self._place < len(self._text) else "the filter ends"
