"""Texts made from the settings: the reference page, the commented file that ``sealgate init`` writes, ``config show``.

``python -m sealgate.adapters.configuration.reference`` prints the page; a test compares it with the one in ``docs``.
"""

import sys
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Final

from sealgate.adapters.configuration.setting import Setting
from sealgate.adapters.configuration.settings import REPEATED, SECTIONS, Configuration

_INTRODUCTION: Final = """\
# Configuration

<!-- Made by `python -m sealgate.adapters.configuration.reference`; a test compares. Change sections/ instead. -->

One TOML file: `--config PATH`, else `SEALGATE_CONFIG`, else `./sealgate.toml`, `./sealgate/sealgate.toml`,
`~/sealgate/sealgate.toml`, `/etc/sealgate/sealgate.toml`. The environment overrides the file
(`SEALGATE_<SECTION>_<KEY>`, for example `SEALGATE_SERVER_SOCKET`), a flag overrides both
(`--set server.socket=/run/sealgate/sealgate.sock`). Unknown keys are refused. Relative paths start at the folder of the
file unless the table says otherwise. Secrets are named, never written: `file:/path` (mode 0600), `credential:name`
(systemd), `command:program`.

`sealgate config check` checks a file; `sealgate config show` prints what holds in the end.
"""


def page() -> str:
    """Return the reference page, Markdown."""
    parts = [_INTRODUCTION]
    for name, kind in (SECTIONS | REPEATED).items():
        title = f"[[{name}]]" if name in REPEATED else f"[{name}]"
        parts.append(
            f"\n## `{title}`\n\n{_description(kind)}\n\n| key | default | unit | meaning |\n| --- | --- | --- | --- |\n"
        )
        parts.extend(_row(item) for item in fields(kind))
    return "".join(parts)


def _description(kind: type) -> str:
    return "\n".join(line.strip() for line in (kind.__doc__ or "").strip().splitlines())


def _row(item: "Field[Any]") -> str:
    setting: Setting = item.metadata["setting"]
    bounds = f", {setting.least} to {setting.most}" if setting.most is not None else ""
    choices = f" One of {', '.join(f'`{choice}`' for choice in setting.choices)}." if setting.choices else ""
    meaning = setting.sentence if item.name == "roles" else setting.sentence + choices
    default = "required" if item.default is MISSING else f"`{_toml(item.default)}`"
    return f"| `{item.name}` | {default} | {setting.unit}{bounds} | {meaning} |\n"


def template(values: Mapping[str, Any], identities: str) -> str:
    """Return a configuration file that says everything: ``values`` (``section.key``) set, the rest as comments."""
    lines = ["# Sealgate. What is commented out is the default. Check changes with `sealgate config check`."]
    for name, kind in SECTIONS.items():
        lines += ["", f"# {_first(kind)}", f"[{name}]"]
        for item in fields(kind):
            setting: Setting = item.metadata["setting"]
            given = values.get(f"{name}.{item.name}", MISSING)
            default = "" if item.default is MISSING else item.default
            unit = f" ({setting.unit})" if setting.unit else ""
            lines.append(f"# {setting.sentence}{unit}")
            lines.append(f"#{item.name} = {_toml(default)}" if given is MISSING else f"{item.name} = {_toml(given)}")
    witness = ["", f"# {_first(REPEATED['witness'])}", "#[[witness]]"]
    witness += ['#url = "https://witness.example.com/"', '#vkey = "witness.example.com+…"']
    return "\n".join([*lines, *witness, "", identities.rstrip()]) + "\n"


def _first(kind: type) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


def show(configuration: Configuration) -> str:
    """Return the configuration in force as TOML. It holds no secret, so it may be shown."""
    lines: list[str] = []
    for name in SECTIONS:
        lines += [f"[{name}]", *_settings(getattr(configuration, name)), ""]
    for name in REPEATED:
        for entry in getattr(configuration, name):
            lines += [f"[[{name}]]", *_settings(entry), ""]
    return "\n".join(lines)


def flat(configuration: Configuration) -> dict[str, str]:
    """Return every setting in force by name, as text; entries that repeat are one each. It holds no secret."""
    found: dict[str, str] = {}
    for name in SECTIONS:
        section = getattr(configuration, name)
        found |= {f"{name}.{item.name}": _toml(getattr(section, item.name)) for item in fields(section)}
    for name in REPEATED:
        for number, entry in enumerate(getattr(configuration, name)):
            found[f"{name}.{getattr(entry, 'name', number)}"] = "\n".join(_settings(entry))
    return found


def _settings(section: Any) -> list[str]:
    values = {item.name: getattr(section, item.name) for item in fields(section)}
    return [f"{name} = {_toml(value)}" for name, value in values.items() if value is not None]


def _toml(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    text = "" if value == Path() else str(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x20 or ord(c) == 0x7F else c for c in escaped) + '"'


if __name__ == "__main__":
    sys.stdout.write(page())
