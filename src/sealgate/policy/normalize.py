"""Places in normal form: paths, URLs and hosts among arguments, so that a prefix rule cannot be walked around.

``/data/../etc/passwd`` starts with ``/data/``, ``http://127.1`` is the machine itself, and
``good.example@evil.example`` goes to evil. A policy should look at ``context.normalized.<argument>``, a record of

- ``ok``: whether there is one normal form that every reader would agree on;
- ``text``: the whole place in normal form;
- ``scheme``, ``host``, ``port``, ``path``: its parts (empty or 0 where there is none; ``port`` may be the scheme's).

A value that two readers could understand differently (percent signs left after decoding, a NUL, a user name before the
host, an octal address, a parent directory above the start) is never repaired: ``ok`` is false, every other part is
empty, and the decision point refuses to let a rule judge it that reads the parts without asking for ``ok``.

Pure text work: no file system is asked, so symbolic links are outside what this can know.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

import idna

MAX_PLACE_CHARS: Final = 4096

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):", re.ASCII)
_DRIVE: Final = re.compile(r"([A-Za-z]):", re.ASCII)
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}", re.ASCII)
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER: Final = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+", re.ASCII)
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "ssh": 22, "sftp": 22}
_DEVIATIONS: Final = frozenset("\u00df\u1e9e\u03c2\u200c\u200d")  # UTS 46: sharp s, final sigma, the joiners
_LOOK_ALIKES: Final = frozenset("\u2044\u2215\u2216\u29f5\u29f8\u29f9")  # slashes that NFKC leaves alone
_SEPARATORS: Final = frozenset("/\\.:@?#%")

_WORDS: Final = {
    "url": frozenset({"url", "uri", "link", "href", "endpoint", "webhook", "website", "site", "origin", "iri"}),
    "host": frozenset({"host", "hostname", "domain", "server", "address_ip", "ip"}),
    "path": frozenset(
        {"path", "file", "filename", "filepath", "dir", "directory", "folder", "source", "destination", "src", "dst",
         "dest", "cwd", "root", "repo_path"}
    ),
}  # fmt: skip
_FORMAT_KIND: Final = {
    "uri": "url", "uri-reference": "url", "iri": "url", "iri-reference": "url", "url": "url",
    "hostname": "host", "idn-hostname": "host", "path": "path", "file-path": "path", "directory-path": "path",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A place in normal form, or the reason why there is none (then ``ok`` is false and the parts are empty)."""

    ok: bool
    text: str = ""
    scheme: str = ""
    host: str = ""
    port: int = 0
    path: str = ""
    problem: str = ""

    def as_json(self) -> dict[str, str | int | bool]:
        """Return the record that policies see."""
        return {
            "ok": self.ok,
            "text": self.text,
            "scheme": self.scheme,
            "host": self.host,
            "port": self.port,
            "path": self.path,
        }


class _Ambiguous(Exception):  # noqa: N818  # never leaves this module
    """Two readers could understand this value differently."""


def place_kind(argument: str, text_format: str, declared: object = None) -> str | None:
    """Return whether a string argument is a ``path``, ``url`` or ``host``, or None.

    ``declared`` (the tool definition's ``x-sealgate-place``) decides where given: a kind, or False for none. Otherwise
    the format decides, then the words of the argument's name.
    """
    if declared is False:
        return None
    if isinstance(declared, str) and declared in _WORDS:
        return declared
    if text_format in _FORMAT_KIND:
        return _FORMAT_KIND[text_format]
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", argument)
    words = frozenset(re.split(r"[^a-z0-9]+", spaced.lower()))
    return next((kind for kind, names in _WORDS.items() if words & names), None)


def normalize(value: str, kind: str) -> Place:
    """Return the normal form of ``value``, an argument of this kind. Total: never raises."""
    try:
        _check_characters(value)
        scheme = _SCHEME.match(value)
        if scheme and _has_scheme(scheme[1].lower(), value[scheme.end() :], kind):
            return _url(scheme[1].lower(), value[scheme.end() :])
        if kind == "host":
            host, port = _authority(value, 0)
            return Place(ok=True, text=_with_port(host, port, 0), host=host, port=port)
        if kind == "url" and not value.startswith(("/", ".")):
            return _hierarchical("", value)
        if kind == "url" and value.startswith("//"):
            return _hierarchical("", value[2:])
        path = _decoded_path(value) if kind == "url" else _file_path(value)
        return Place(ok=True, text=path, path=path)
    except _Ambiguous as problem:
        return Place(ok=False, problem=str(problem))


def _has_scheme(scheme: str, rest: str, kind: str) -> bool:
    """Tell a scheme from a port (``host:80``) and from a colon in a file name."""
    if rest.startswith("//") or scheme == "file":
        return True
    if kind == "url" and rest[:1].isdigit() and "." in scheme:
        return False
    return kind == "url"


def _check_characters(value: str) -> None:
    if not value or len(value) > MAX_PLACE_CHARS:
        raise _Ambiguous("empty or too long")
    if value != value.strip():
        raise _Ambiguous("spaces at an edge")
    if value.isascii():
        if not value.isprintable():
            raise _Ambiguous("control characters")
        return
    for char in value:
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co"):
            raise _Ambiguous("control or unassigned characters")
        if char in _LOOK_ALIKES or (char > "\x7f" and _SEPARATORS & set(unicodedata.normalize("NFKC", char))):
            raise _Ambiguous("a look-alike of a separator")


def _url(scheme: str, rest: str) -> Place:
    if "\\" in rest or " " in rest:
        raise _Ambiguous("a backslash or space in a URL")
    if scheme == "file":
        return _file_url(rest)
    if not rest.startswith("//"):
        if scheme in _PORTS:
            raise _Ambiguous("no `//` after the scheme")
        if ".." in rest:
            raise _Ambiguous("a parent directory in a URL that has no host")
        return Place(ok=True, text=f"{scheme}:{rest}", scheme=scheme, path=rest)
    return _hierarchical(scheme, rest[2:])


def _file_url(rest: str) -> Place:
    authority, slash, tail = rest[2:].partition("/") if rest.startswith("//") else ("", "/", rest.lstrip("/"))
    if authority.lower() not in ("", "localhost") or not slash:
        raise _Ambiguous("a file URL with a host")
    path = _decoded_path("/" + re.split(r"[?#]", tail)[0])
    return Place(ok=True, text=f"file://{path}", scheme="file", path=path)


def _hierarchical(scheme: str, rest: str) -> Place:
    if "\\" in rest or " " in rest:
        raise _Ambiguous("a backslash or space in a URL")
    end = re.search(r"[/?#]", rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    default = _PORTS.get(scheme, 0)
    host, port = _authority(authority, default)
    tail = tail.partition("#")[0]
    raw_path, mark, query = tail.partition("?")
    path = _decoded_path(raw_path) if raw_path else "/"
    prefix = f"{scheme}://" if scheme else ""
    text = f"{prefix}{_with_port(host, port, default)}{path}{mark}{query}"
    return Place(ok=True, text=text, scheme=scheme, host=host, port=port, path=path)


def _with_port(host: str, port: int, default: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port in (0, default) else f"{shown}:{port}"


def _authority(authority: str, default_port: int) -> tuple[str, int]:
    if "@" in authority:
        raise _Ambiguous("a user name before the host")
    if any(char in authority for char in "/\\%?# "):
        raise _Ambiguous("a character that no host has")
    if authority.startswith("["):
        inner, _, after = authority[1:].partition("]")
        return _ipv6(inner), _port(after, default_port)
    if authority.count(":") > 1:
        return _ipv6(authority), default_port
    host, colon, port = authority.partition(":")
    return _host(host), _port(colon + port, default_port)


def _port(text: str, default: int) -> int:
    if text in ("", ":"):
        return default
    digits = text[1:]
    if text[0] != ":" or not (digits.isascii() and digits.isdigit()) or len(digits) > 5 or not 0 < int(digits) < 65536:
        raise _Ambiguous("a malformed port")
    return int(digits)


def _ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError as error:
        raise _Ambiguous("a malformed IPv6 address") from error
    if address.scope_id is not None:
        raise _Ambiguous("an address with a zone")
    mapped = address.ipv4_mapped
    return str(mapped) if mapped is not None else address.compressed


def _host(text: str) -> str:
    host = text.removesuffix(".")
    if not host.isascii():
        host = _idna(host)
    host = host.lower()
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(labels)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _Ambiguous("a malformed host name")
    return host


def _idna(host: str) -> str:
    if _DEVIATIONS & set(host):
        raise _Ambiguous("a host name that old and new IDNA read differently")
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise _Ambiguous("a host name that IDNA does not have") from error


def _ipv4(labels: list[str]) -> str:
    """Read what ``inet_aton`` reads: one to four numbers, hexadecimal allowed, the last one filling the rest."""
    if len(labels) > 4:
        raise _Ambiguous("a malformed IPv4 address")
    numbers = [_ipv4_number(label) for label in labels]
    *high, last = numbers
    if any(number > 255 for number in high) or last >= 256 ** (5 - len(numbers)):
        raise _Ambiguous("an IPv4 address out of range")
    value = last + sum(number << (24 - 8 * position) for position, number in enumerate(high))
    return str(ipaddress.IPv4Address(value))


def _ipv4_number(label: str) -> int:
    if not _NUMBER.fullmatch(label):
        raise _Ambiguous("a malformed IPv4 address")
    if label[:2].lower() == "0x":
        return int(label[2:] or "0", 16)
    if len(label) > 1 and label[0] == "0":
        raise _Ambiguous("an address with leading zeros: octal to some readers, decimal to others")
    return int(label)


def _decoded_path(path: str) -> str:
    """Return a URL's path, percent-decoded once and resolved."""
    if "%" in path:
        if path.count("%") != len(_ESCAPE.findall(path)):
            raise _Ambiguous("a malformed percent escape")
        path = _percent_decoded(path)
        _check_characters(path)
    if "\\" in path:
        raise _Ambiguous("a backslash in a URL")
    return _resolved(path)


def _percent_decoded(path: str) -> str:
    escapes = {escape.upper() for escape in _ESCAPE.findall(path)}
    if escapes & {"%2F", "%5C", "%00", "%25"}:
        raise _Ambiguous("an escaped separator, NUL or percent sign")
    try:
        pieces = re.split(r"((?:%[0-9A-Fa-f]{2})+)", path)
        return "".join(
            bytes.fromhex(piece.replace("%", "")).decode() if index % 2 else piece for index, piece in enumerate(pieces)
        )
    except UnicodeDecodeError as error:
        raise _Ambiguous("escapes that are not UTF-8") from error


def _file_path(path: str) -> str:
    if _ESCAPE.search(path):
        raise _Ambiguous("a percent escape in a file path: decoded by some readers only")
    if path.startswith("~"):
        raise _Ambiguous("a home directory that only the reader knows")
    if "\\" in path:
        path = _without_backslashes(path)
    drive = _DRIVE.match(path)
    if drive:
        if path[2:3] != "/":
            raise _Ambiguous("a path relative to a drive")
        return drive[1].lower() + ":" + _resolved(path[2:])
    return _resolved(path)


def _without_backslashes(path: str) -> str:
    segments = re.split(r"[/\\]", path)
    if path.startswith(("\\\\", "\\/", "/\\")) or ".." in segments:
        raise _Ambiguous("backslashes that are separators to some readers only")
    if any(segment != segment.rstrip(". ") and segment != "." for segment in segments):
        raise _Ambiguous("trailing dots or spaces that some systems drop")
    return path.replace("\\", "/")


def _resolved(path: str) -> str:
    absolute = path.startswith("/")
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
            elif not absolute:
                raise _Ambiguous("a parent directory above the start")
        elif segment not in ("", "."):
            kept.append(segment)
    text = "/".join(kept)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return "/" + text if absolute else text or "."
