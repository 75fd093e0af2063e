"""``python -m sealgate.model.schema > schema/record.json``: the JSON Schema of every body, made from ``records``.

A body is described by its ``kind``: the document is a choice among the kinds that are written today. Every member is
required, because bodies say null where nothing is known, and none may be added.
"""

import json
import sys
from typing import Any, Final

import msgspec

from .records import MODEL

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
IDENTIFIER: Final = "urn:sealgate:schema:record:v1"

Schema = dict[str, Any]


def _anything(kind: type) -> Schema:
    """Describe ``object``: any JSON."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError


def document() -> Schema:
    """Return the whole schema."""
    structures = list(dict.fromkeys(MODEL.values()))
    made, components = msgspec.json.schema_components(structures, ref_template="#/$defs/{name}", schema_hook=_anything)
    reference = dict(zip(structures, made, strict=True))
    for component in components.values():
        if component.get("type") == "object":
            component["required"] = list(component["properties"])
    return {
        "$schema": DIALECT,
        "$id": IDENTIFIER,
        "title": "The body of a Sealgate record",
        "oneOf": [
            {"title": str(kind), "properties": {"kind": {"const": str(kind)}}, "$ref": reference[structure]["$ref"]}
            for kind, structure in sorted(MODEL.items())
        ],
        "$defs": dict(sorted(components.items())),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=1, ensure_ascii=False) + "\n")
