"""A policy directory, as people edit it, becomes a bundle, as the authority is given it.

::

    policies/*.cedar       one or more policies each
    tools/*.json           MCP tools/list results; the file's stem is the server unless it says ``server``
    schema.cedarschema     a stub that replaces the default one (optional)
    limits.toml            [[limit]] tables (optional)
    entities.json          Cedar entities: agents in roles (optional)
    tests/*.json           for ``sealgate policy test`` (not part of the bundle)

Files are read in the order of their names, so that one directory always gives one digest.
"""

import tomllib
from pathlib import Path
from typing import Any

from sealgate.encoding import canonical
from sealgate.model.errors import ConfigurationError, InputError
from sealgate.policy.bundle import FORMAT, MAX_BUNDLE_BYTES, MAX_BUNDLE_DEPTH

Json = Any


def read_directory(path: Path | str) -> dict[str, Json]:
    """Return the bundle of a policy directory.

    Raises:
        ConfigurationError: a file is missing, unreadable or not what its name says.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ConfigurationError(f"`{folder}` is not a directory", hint="name a policy directory")
    policies = [{"id": file.stem, "text": _text(file)} for file in sorted((folder / "policies").glob("*.cedar"))]
    if not policies:
        raise ConfigurationError(f"`{folder}/policies` has no policy", hint="write one: policies/agents.cedar")
    stub = folder / "schema.cedarschema"
    entities = folder / "entities.json"
    return {
        "format": FORMAT,
        "schema": _text(stub) if stub.exists() else None,
        "policies": policies,
        "tools": [_tools(file) for file in sorted((folder / "tools").glob("*.json"))],
        "limits": _limits(folder / "limits.toml"),
        "entities": _json(entities) if entities.exists() else [],
    }


def read_tool_lists(path: Path | str) -> list[Json]:
    """Return the tool lists of a policy directory, of a folder of lists, or of one file.

    Raises:
        ConfigurationError: a file is unreadable or not a tools/list result.
    """
    place = Path(path)
    if place.is_file():
        return [_tools(place)]
    folder = place / "tools" if (place / "tools").is_dir() else place
    if not folder.is_dir():
        raise ConfigurationError(f"`{place}` is neither a file nor a directory", hint="give a tools/list result")
    return [_tools(file) for file in sorted(folder.glob("*.json"))]


def read_tests(path: Path | str) -> list[tuple[str, list[Json]]]:
    """Return each test file's name and its cases.

    Raises:
        ConfigurationError: a file is unreadable or is not a list of cases.
    """
    found = []
    for file in sorted((Path(path) / "tests").glob("*.json")):
        value = _json(file)
        cases = value.get("tests") if isinstance(value, dict) else value
        if not isinstance(cases, list):
            raise ConfigurationError(f"`{file}` is not a list of tests", hint='write `{"tests": […]}`')
        found.append((file.stem, cases))
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"`{file}` cannot be read: {error}") from error


def _json(file: Path) -> Json:
    try:
        data = file.read_bytes()
        return canonical.parse(data, max_bytes=MAX_BUNDLE_BYTES, max_depth=MAX_BUNDLE_DEPTH)
    except OSError as error:
        raise ConfigurationError(f"`{file}` cannot be read: {error}") from error
    except InputError as error:
        raise ConfigurationError(f"`{file}`: {error.message}", hint=error.hint) from error


def _tools(file: Path) -> Json:
    value = _json(file)
    if isinstance(value, dict) and isinstance(value.get("result"), dict):
        value = value["result"]
    tools = value.get("tools") if isinstance(value, dict) else value
    if not isinstance(tools, list):
        raise ConfigurationError(f"`{file}` is not a tools/list result", hint='write `{"tools": […]}`')
    server = value.get("server", file.stem) if isinstance(value, dict) else file.stem
    return {"server": server, "tools": tools}


def _limits(file: Path) -> list[Json]:
    if not file.exists():
        return []
    try:
        value = tomllib.loads(_text(file))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"`{file}`: {error}") from error
    if set(value) - {"limit"} or not isinstance(value.get("limit", []), list):
        raise ConfigurationError(f"`{file}` has something beside [[limit]] tables")
    return list(value.get("limit", []))
