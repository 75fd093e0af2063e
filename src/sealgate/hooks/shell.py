"""A command line as the commands that it will run, each with its words, or marked opaque. Pure.

A line is split only where the split is certain: simple commands of literal words, joined by ``;``, ``&&``, ``||``,
``|``, ``&`` or a new line, with redirections to literal places. Everything whose meaning the shell decides when it
runs (substitutions, variables, globs in the place of a program, here-documents, control words, assignments, aliases)
makes the whole line opaque: one command without words, which policies see as such. Guessing would be worse than not
knowing.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Final

MAX_COMMANDS: Final = 16
MAX_WORDS: Final = 256

_SEPARATORS: Final = frozenset({";", "&&", "||", "|", "&", "|&"})
_WRITES: Final = frozenset({">", ">>", ">|", "&>", "&>>", "<>"})
_READS: Final = frozenset({"<"})
_DUPLICATE: Final = ">&"
# fmt: off
_KEYWORDS: Final = frozenset((
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "function",
    "select", "time", "coproc", "{", "}", "!", "[[", "]]", "in", "eval", "exec", "source", ".", "alias",
    "trap", "set", "shopt", "unset", "builtin", "command", "enable", "cd", "pushd", "popd", "export",
    "declare", "local", "readonly", "hash", "mapfile", "read",
))
# fmt: on
"""Words after which later words, or later commands, mean something else than they say."""

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[[^]]*\])?\+?=")
_UNCERTAIN: Final = re.compile(r"[$`\x00-\x08\x0b-\x1f\x7f]")
"""Outside of single quotes: the shell puts something else in its place."""

_UNCERTAIN_BARE: Final = re.compile(r"[(){}]|<<|(^|[\s=:;&|])~|(^|\s)\d+\s+[<>]")
"""Outside of all quotes: groups, braces, here-documents, home folders, a number that may be a descriptor."""
_GLOB: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command. ``program`` is empty where the line is opaque.

    ``expands`` says that the line has a glob somewhere, so that words may become other words.
    """

    program: str
    words: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    expands: bool = False
    why_opaque: str = ""


def parse(line: str) -> list[Command]:
    """Return the commands of a line, or one opaque command that says why."""
    try:
        return _commands(line)
    except _OpaqueError as problem:
        return [Command("", why_opaque=str(problem))]


class _OpaqueError(Exception):
    """The line cannot be split with certainty."""


def _commands(line: str) -> list[Command]:
    tokens = _tokens(line)
    expands = bool(_GLOB & set(_outside_quotes(line)))
    commands: list[Command] = []
    current: list[str] = []
    for token in [*tokens, ";"]:
        if token not in _SEPARATORS:
            current.append(token)
            continue
        if current:
            commands.append(_command(current, expands=expands))
            current = []
    if not commands:
        raise _OpaqueError("there is no command")
    if len(commands) > MAX_COMMANDS:
        raise _OpaqueError(f"more than {MAX_COMMANDS} commands")
    return commands


def _tokens(line: str) -> list[str]:
    bare = _outside_quotes(line)
    if _UNCERTAIN.search(_without_single_quotes(line)) or _UNCERTAIN_BARE.search(bare):
        raise _OpaqueError("the shell decides about a part of it when it runs")
    if "\\\n" in line or "\r" in line:
        raise _OpaqueError("a continued line")
    lexer = shlex.shlex(line.replace("\n", " ; ") if "\n" in bare else line, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError as error:
        raise _OpaqueError("quotes are not closed") from error
    if line.count("\n") != bare.count("\n"):
        raise _OpaqueError("a new line among quotes")
    if any(token.startswith("#") for token in tokens):
        raise _OpaqueError("a comment")
    if len(tokens) > MAX_WORDS:
        raise _OpaqueError(f"more than {MAX_WORDS} words")
    _require_plain_operators(line, tokens)
    return tokens


def _require_plain_operators(line: str, tokens: list[str]) -> None:
    """Refuse a line in which a quoted word looks like an operator: after the split nobody could tell them apart."""
    operators = [token for token in tokens if token and set(token) <= set(";&|<>")]
    if any(token not in _SEPARATORS | _WRITES | _READS | {_DUPLICATE} for token in operators):
        raise _OpaqueError("an operator that is not known here")
    bare = _outside_quotes(line)
    if sum(bare.count(sign) for sign in ";&|<>\n") != sum(map(len, operators)):
        raise _OpaqueError("an operator among quotes")


def _outside_quotes(line: str) -> str:
    """Return the characters that are neither quoted nor escaped."""
    kept, quote, escaped = [], "", False
    for sign in line:
        if escaped:
            escaped = False
        elif sign == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        else:
            kept.append(sign)
    return "".join(kept)


def _without_single_quotes(line: str) -> str:
    """Return the line without what is in single quotes, where every character means itself."""
    kept, quote, escaped = [], "", False
    for sign in line:
        if quote == "'":
            quote = "" if sign == "'" else quote
            continue
        if not escaped and sign == "'" and not quote:
            quote = "'"
            continue
        if not escaped and sign == '"':
            quote = "" if quote else '"'
        escaped = not escaped and sign == "\\"
        kept.append(sign)
    return "".join(kept)


def _command(tokens: list[str], *, expands: bool) -> Command:
    words: list[str] = []
    places: dict[str, list[str]] = {"writes": [], "reads": []}
    rest = iter(tokens)
    for token in rest:
        if token == _DUPLICATE:
            _duplicate(words, next(rest, ""))
            continue
        kind = "writes" if token in _WRITES else "reads" if token in _READS else ""
        if not kind:
            words.append(token)
            continue
        if words and words[-1].isdigit():
            words.pop()  # the number of the file descriptor
        place = next(rest, "")
        if not place or place[0] in "&<>|;" or _GLOB & set(place):
            raise _OpaqueError("a redirection to what is not a plain place")
        places[kind].append(place)
    if not words:
        raise _OpaqueError("a redirection without a command")
    program = words[0]
    if _ASSIGNMENT.match(program) or program in _KEYWORDS or _GLOB & set(program):
        raise _OpaqueError(f"`{program[:40]}` changes what the rest means")
    return Command(program, tuple(words[1:]), tuple(places["writes"]), tuple(places["reads"]), expands)


def _duplicate(words: list[str], target: str) -> None:
    """Take ``2>&1`` out of the words; it names no place."""
    if target not in ("1", "2"):
        raise _OpaqueError("a redirection to what is not a plain place")
    if words and words[-1].isdigit():
        words.pop()
