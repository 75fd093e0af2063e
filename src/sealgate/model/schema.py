"""The JSON Schemas of bodies and items, made from ``records`` and ``items``.

``python -m sealgate.model.schema > schema/record.json``, and with ``item`` as argument ``> schema/item.json``.

Both are a choice among kinds. Every member is required, because what is kept says null where nothing is known, and none
may be added.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from .items import ITEM_MODEL
from .records import MODEL

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
IDENTIFIER: Final = "urn:sealgate:schema:record:v1"
ITEM_IDENTIFIER: Final = "urn:sealgate:schema:item:v1"

Schema = dict[str, Any]


def _anything(kind: type) -> Schema:
    """Describe ``object``: any JSON."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError


def document() -> Schema:
    """Return the schema of a record's body."""
    return _choice(MODEL, IDENTIFIER, "The body of a Sealgate record")


def item_document() -> Schema:
    """Return the schema of an item, as it is kept. One that is sent may leave out what would be null or empty."""
    return _choice(ITEM_MODEL, ITEM_IDENTIFIER, "An item: something captured or observed beside decisions")


def _choice(model: Mapping[str, type], identifier: str, title: str) -> Schema:
    structures = list(dict.fromkeys(model.values()))
    made, components = msgspec.json.schema_components(structures, ref_template="#/$defs/{name}", schema_hook=_anything)
    reference = dict(zip(structures, made, strict=True))
    for component in components.values():
        if component.get("type") == "object":
            component["required"] = list(component["properties"])
    return {
        "$schema": DIALECT,
        "$id": identifier,
        "title": title,
        "oneOf": [
            {"title": str(kind), "properties": {"kind": {"const": str(kind)}}, "$ref": reference[structure]["$ref"]}
            for kind, structure in sorted(model.items())
        ],
        "$defs": dict(sorted(components.items())),
    }


if __name__ == "__main__":
    wanted = item_document() if sys.argv[1:] == ["item"] else document()
    sys.stdout.write(json.dumps(wanted, indent=1, ensure_ascii=False) + "\n")
