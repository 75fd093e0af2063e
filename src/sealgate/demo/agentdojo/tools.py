"""Write each suite's tool definitions from AgentDojo's function schemas.

``python -m sealgate.demo.agentdojo.tools [--check]``.

The output is an MCP ``tools/list`` result per suite, committed so that policies can be checked without AgentDojo.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from sealgate.demo.agentdojo.suites import NAMES, PROFILES, load


def definitions(name: str) -> dict[str, Any]:
    """Return the suite's tools as an MCP ``tools/list`` result with its server's name."""
    tools = [
        {
            "name": tool.name,
            "description": tool.description,
            "inputSchema": _plain(tool.parameters.model_json_schema()),
        }
        for tool in load(name).tools
    ]
    return {"server": PROFILES[name].server, "tools": tools}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Resolve references and write ``X or null`` as an optional ``X``: that is what the tool accepts over MCP."""
    shared = schema.get("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolve(shared[node["$ref"].rsplit("/", 1)[1]])
        return {key: resolve(item) for key, item in node.items() if not _is_noise(key, item)}

    plain: dict[str, Any] = resolve(schema)
    plain["properties"] = {key: _without_null(item) for key, item in plain.get("properties", {}).items()}
    plain.setdefault("required", [])
    plain["additionalProperties"] = False
    return plain


def _is_noise(key: str, item: Any) -> bool:
    """Tell whether a member only repeats a name; a *parameter* called ``title`` is an object and stays."""
    return key == "$defs" or (key == "title" and isinstance(item, str))


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    choices = [choice for choice in node.get("anyOf", []) if choice.get("type") != "null"]
    if len(choices) != 1:
        return node
    rest = {key: item for key, item in node.items() if key not in {"anyOf", "default"}}
    return {**choices[0], **rest}


def _path(name: str) -> Path:
    return PROFILES[name].policy_directory / "tools" / f"{PROFILES[name].server}.json"


def main() -> int:
    """Write the files, or with ``--check`` say which differ from AgentDojo's schemas (exit 1)."""
    parser = argparse.ArgumentParser(prog="python -m sealgate.demo.agentdojo.tools", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is out of date")
    check = parser.parse_args().check
    stale = 0
    for name in NAMES:
        text = json.dumps(definitions(name), indent=1, ensure_ascii=False) + "\n"
        path = _path(name)
        if check:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                print(f"{path.name} is out of date")
                stale = 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
