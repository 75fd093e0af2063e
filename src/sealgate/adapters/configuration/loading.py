"""Reads the configuration: file, then environment (``SEALGATE_<SECTION>_<KEY>``), then flags (``section.key=value``).

A key that does not exist is refused with the nearest that does: a misspelled limit must not be an ignored wish.
"""

import difflib
import os
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, replace
from pathlib import Path
from typing import Any, Final

from sealgate.adapters.configuration.sections.callers import (
    Callers,
    IdentityEntry,
    OidcEntry,
    SpiffeEntry,
    check_callers,
)
from sealgate.adapters.configuration.setting import Setting
from sealgate.adapters.configuration.settings import REPEATED, SECTIONS, Configuration, check_together
from sealgate.model.errors import ConfigurationError

PREFIX: Final = "SEALGATE_"
FILE_VARIABLE: Final = "SEALGATE_CONFIG"
FILE_NAME: Final = "sealgate.toml"
_RELATIVE_TO_DATA: Final = frozenset(
    {"server.socket", "access.socket", "keys.directory", "collector.socket", "vault.directory", "vault.socket"}
)


def find(named: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the configuration file: the named one, ``SEALGATE_CONFIG``, the first of the usual places.

    These are: here, ``./sealgate``, ``~/sealgate``, ``/etc/sealgate``.

    Raises:
        ConfigurationError: there is none.
    """
    given = named or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    own = [Path(environment["HOME"]) / "sealgate"] if environment.get("HOME") else []
    candidates = [given] if given else [Path(), Path("sealgate"), *own, Path("/etc/sealgate")]
    for candidate in candidates:
        path = candidate / FILE_NAME if candidate.is_dir() else candidate
        if path.is_file():
            return path
    where = f"`{given}`" if given else "here, in `sealgate/`, `~/sealgate/` or `/etc/sealgate/`"
    raise ConfigurationError(f"no configuration file {where}", hint="`sealgate init` makes one; or give --config")


def load(path: Path, environment: Mapping[str, str] | None = None, flags: Iterable[str] = ()) -> Configuration:
    """Return the checked configuration of a file, with what environment and flags say instead; paths made absolute.

    Raises:
        ConfigurationError: unreadable, malformed, an unknown key, a value of the wrong type or out of bounds.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"configuration file `{path}` cannot be read: {error}") from error
    environment = os.environ if environment is None else environment
    return parse(text, base=path.absolute().parent, environment=environment, flags=flags)


def parse(text: str, *, base: Path, environment: Mapping[str, str], flags: Iterable[str] = ()) -> Configuration:
    """Return the configuration of a TOML text; relative paths are looked up under ``base``. Raises as ``load``."""
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        hint = "each [section] stands there once; `sealgate init` wrote all of them, so change the one that is there"
        twice = "Cannot declare" in str(error)
        raise ConfigurationError(f"configuration is not TOML: {error}", hint=hint if twice else "") from error
    _refuse_unknown(table, [*SECTIONS, *REPEATED], "section")
    for name in SECTIONS:
        if not isinstance(table.setdefault(name, {}), dict):
            raise ConfigurationError(f"`{name}` is not a table", hint=f"write [{name}]")
    _apply_environment(table, environment)
    _apply_flags(table, flags)
    values: dict[str, Any] = {name: _make(kind, table[name], name) for name, kind in SECTIONS.items()}
    values |= {name: _make_all(kind, table.get(name, []), name) for name, kind in REPEATED.items()}
    values = _absolute(values, base)
    configuration = Configuration(**values)
    check_together(configuration)
    return configuration


def set_by(flags: Iterable[str]) -> dict[str, Any]:
    """Return what flags (``section.key=value``) set, by ``section.key``, for a file that is going to be written.

    Types and bounds are not checked here: parse the file. Raises as ``load``.
    """
    table: dict[str, Any] = {name: {} for name in SECTIONS}
    _apply_flags(table, flags)
    return {f"{name}.{key}": value for name, section in table.items() for key, value in section.items()}


def callers(*, identity: Any, oidc: Any, spiffe: Any, base: Path) -> Callers:
    """Return the checked callers of these arrays of tables, paths absolute under ``base``. Raises as ``load``."""
    found = Callers(
        tuple(_placed(entry, base) for entry in _make_all(IdentityEntry, identity, "identity")),
        tuple(_placed(entry, base) for entry in _make_all(OidcEntry, oidc, "oidc")),
        tuple(_placed(entry, base) for entry in _make_all(SpiffeEntry, spiffe, "spiffe")),
    )
    check_callers(found)
    return found


def _apply_environment(table: dict[str, Any], environment: Mapping[str, str]) -> None:
    variables = {f"{PREFIX}{name}_".upper(): name for name in SECTIONS}
    for variable, value in environment.items():
        prefix = next((prefix for prefix in variables if variable.startswith(prefix)), None)
        if prefix is not None:
            _override(table, variables[prefix], variable.removeprefix(prefix).lower(), value, variable)


def _apply_flags(table: dict[str, Any], flags: Iterable[str]) -> None:
    for flag in flags:
        name, equals, value = flag.partition("=")
        section, _, key = name.partition(".")
        if not equals or section not in SECTIONS:
            raise ConfigurationError(f"`{flag}` does not set anything", hint="write section.key=value")
        _override(table, section, key, value, name)


def _override(table: dict[str, Any], section: str, key: str, text: str, source: str) -> None:
    known = {item.name: item for item in fields(SECTIONS[section])}
    if key not in known:
        raise ConfigurationError(f"`{source}` is not a setting", hint=_nearest(key, known, f"{section}."))
    value: str | int = text
    if known[key].type is int:
        try:
            value = int(text) if text.isascii() else text
        except ValueError:
            value = text  # the type check names it
    table[section][key] = value


def _make(kind: type, table: Mapping[str, Any], where: str) -> Any:
    known = {item.name: item for item in fields(kind)}
    _refuse_unknown(table, list(known), f"key of [{where}]")
    values = {}
    for name, item in known.items():
        if name in table:
            values[name] = _value(item, table[name], f"{where}.{name}")
        elif item.default is MISSING:
            raise ConfigurationError(f"`{where}.{name}` is missing", hint=item.metadata["setting"].sentence)
    return kind(**values)


def _make_all(kind: type, tables: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"`{where}` is not an array of tables", hint=f"write [[{where}]]")
    return tuple(_make(kind, table, where) for table in tables)


def _value(item: "Field[Any]", value: Any, where: str) -> Any:
    setting: Setting = item.metadata["setting"]
    options = typing.get_args(item.type) if isinstance(item.type, types.UnionType) else (item.type,)
    if int in options:
        return _integer(setting, value, where)
    if typing.get_origin(item.type) is tuple:
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise ConfigurationError(f"`{where}` is not a list of strings")
        return tuple(_text(setting, part, where) for part in value)
    text = _text(setting, value, where)
    return Path(text) if Path in options else text


def _integer(setting: Setting, value: Any, where: str) -> int:
    if type(value) is not int:
        raise ConfigurationError(f"`{where}` is not an integer", hint=f"give a number of {setting.unit or 'units'}")
    low, high = setting.least, setting.most
    if (low is not None and value < low) or (high is not None and value > high):
        raise ConfigurationError(f"`{where}` is {value}", hint=f"allowed is {low} to {high or '…'} {setting.unit}")
    return value


def _text(setting: Setting, value: Any, where: str) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ConfigurationError(f"`{where}` is not a string")
    if setting.choices and value not in setting.choices:
        raise ConfigurationError(f"`{where}` is `{value[:80]}`", hint=f"one of {', '.join(setting.choices)}")
    return value


def _refuse_unknown(table: Mapping[str, Any], known: list[str], what: str) -> None:
    for name in table:
        if name not in known:
            raise ConfigurationError(f"`{name}` is not a {what}", hint=_nearest(name, known))


def _nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean `{prefix}{close[0]}`?" if close else f"known are {', '.join(names)}"


def _absolute(values: dict[str, Any], base: Path) -> dict[str, Any]:
    data = (base / values["authority"].data_directory).absolute()
    for section in SECTIONS:
        changed = {
            item.name: (data if f"{section}.{item.name}" in _RELATIVE_TO_DATA else base) / value
            for item in fields(values[section])
            if isinstance(value := getattr(values[section], item.name), Path) and value != Path()
        }
        if section == "authority":
            changed["data_directory"] = data
        if changed:
            merged = {item.name: getattr(values[section], item.name) for item in fields(values[section])} | changed
            values[section] = SECTIONS[section](**merged)
    for name in REPEATED:
        values[name] = tuple(_placed(entry, base) for entry in values[name])
    return values


def _placed(entry: Any, base: Path) -> Any:
    """Return an entry of an array of tables with its paths absolute."""
    paths = {item.name: getattr(entry, item.name) for item in fields(entry)}
    changed = {name: base / path for name, path in paths.items() if isinstance(path, Path) and path != Path()}
    return replace(entry, **changed) if changed else entry
