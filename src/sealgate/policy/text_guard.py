"""Bounds policy and schema text before the engine parses it, because the engine's parser can overflow the stack.

Cedar's parser recurses over brackets, conditionals and unary operators; with the default 8 MB stack about 700 nested
parentheses kill the process, and no exception handler runs. So every text passes this lexer first: it never recurses,
looks only at tokens, and refuses what is too long, too deep or too repetitive. What it accepts the engine may still
refuse, with an exception. It also splits a text into statements, so that each policy keeps its own text and line.

Not handled here: JSON, whose depth ``encoding.canonical.parse`` bounds.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sealgate.model.errors import InputError

MAX_TEXT_BYTES: Final = 1024 * 1024
"""One policy or schema text, in bytes."""

MAX_STATEMENT_BYTES: Final = 64 * 1024
"""One policy, in bytes."""

MAX_NESTING: Final = 40
"""Brackets of all kinds and conditionals that are open at one place. The engine dies at about 700."""

MAX_UNARY: Final = 4
"""``!`` or ``-`` in a row; Cedar's own grammar allows no more."""

MAX_OPERATORS: Final = 400
"""Operators, member accesses and commas in one policy: each is a level of the syntax tree of a chain."""

_TOKEN: Final = re.compile(
    r"""(?P<space>[\s]+|//[^\n\r]*)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9]+)
      | (?P<open>[(\[{])
      | (?P<close>[)\]}])
      | (?P<end>;)
      | (?P<unary>!(?!=)|-)
      | (?P<operator>==|!=|<=|>=|&&|\|\||::|[<>+*/%.,=?:@|&])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_IF: Final = "if"
_CLOSER: Final = {"(": ")", "[": "]", "{": "}"}
_OPERATOR_WORDS: Final = frozenset({"in", "has", "like", "is"})


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text: everything up to its ``;``. ``line`` counts from 1 and is where its first token is."""

    text: str
    line: int


def check_schema_text(text: str) -> None:
    """Refuse schema text that could hurt the parser; say nothing about whether it is a schema.

    Raises:
        InputError: too long, too deep, or not made of Cedar's tokens.
    """
    _check_size(text)
    walker = _Walker(operators=MAX_TEXT_BYTES)
    for kind, token, at in _tokens(text):
        walker.step(kind, token, text, at)
    walker.finish()


def split_policies(text: str) -> list[Statement]:
    """Return the statements of a policy text, each within bounds.

    Raises:
        InputError: too long, too deep, too many operators, unbalanced brackets, or a character Cedar does not have.
    """
    _check_size(text)
    statements: list[Statement] = []
    walker = _Walker(operators=MAX_OPERATORS)
    start: int | None = None
    for kind, token, at in _tokens(text):
        if start is None:
            start = at
        walker.step(kind, token, text, at)
        if kind == "end" and not walker.open_brackets:
            statements.append(_statement(text, start, at + 1))
            start, walker = None, _Walker(operators=MAX_OPERATORS)
    if start is not None:
        raise InputError(
            f"policy at line {_line(text, start)} does not end", hint="close its brackets and end it with `;`"
        )
    return statements


def _statement(text: str, start: int, end: int) -> Statement:
    body = text[start:end]
    if len(body.encode("utf-8", "surrogatepass")) > MAX_STATEMENT_BYTES:
        raise InputError(f"policy at line {_line(text, start)} is over {MAX_STATEMENT_BYTES} bytes", hint="split it")
    return Statement(body, _line(text, start))


def _check_size(text: str) -> None:
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise InputError("text has a lone surrogate") from error
    if size > MAX_TEXT_BYTES:
        raise InputError(f"text has {size} bytes", hint=f"at most {MAX_TEXT_BYTES} are allowed")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise InputError(f"line {_line(text, at)} has `{text[at]!r:.12}`, which is not Cedar")
        if match.lastgroup != "space":
            yield match.lastgroup or "", match[0], at
        at = match.end()


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


class _Walker:
    """Counts what is open. ``stack`` holds, for each open bracket, its closer and how many ``if`` it has inside."""

    def __init__(self, *, operators: int) -> None:
        self.stack: list[tuple[str, int]] = []
        self.conditionals = 0
        self.unary = 0
        self.depth = 0
        self.operators = 0
        self.max_operators = operators

    @property
    def open_brackets(self) -> int:
        return len(self.stack)

    def step(self, kind: str, token: str, text: str, at: int) -> None:
        """Take one token into account."""
        self.unary = self.unary + 1 if kind == "unary" else 0
        if kind == "open":
            self.stack.append((_CLOSER[token], self.conditionals))
            self.conditionals = 0
            self.depth += 1
        elif kind == "close":
            self._close(token, text, at)
        elif kind == "word" and token == _IF:
            # `else if …` nests without a bracket, so a conditional stays open until its bracket closes.
            self.conditionals += 1
            self.depth += 1
        if kind in ("operator", "unary", "open") or token in _OPERATOR_WORDS:
            self.operators += 1
        if self.depth > MAX_NESTING:
            raise InputError(f"nesting is deeper than {MAX_NESTING} at line {_line(text, at)}", hint="split the rule")
        if self.unary > MAX_UNARY:
            raise InputError(f"more than {MAX_UNARY} unary operators in a row at line {_line(text, at)}")
        if self.operators > self.max_operators:
            raise InputError(
                f"policy has more than {self.max_operators} operators at line {_line(text, at)}",
                hint="compare with a set (`[…].contains(x)`) or split the rule",
            )

    def _close(self, token: str, text: str, at: int) -> None:
        if not self.stack or self.stack[-1][0] != token:
            raise InputError(f"`{token}` at line {_line(text, at)} closes nothing")
        self.depth -= 1 + self.conditionals
        _, self.conditionals = self.stack.pop()

    def finish(self) -> None:
        """Refuse brackets that stayed open."""
        if self.stack:
            raise InputError("text ends inside a bracket", hint="close every bracket")
