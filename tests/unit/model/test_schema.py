"""``schema/record.json`` is made from the record model, and says no to what the model does not have."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import msgspec

from sealgate.model import schema
from sealgate.model.records import MODEL

FILE = Path(__file__).resolve().parents[3] / "schema" / "record.json"


def test_the_published_schema_is_the_generated_one():
    """`python -m sealgate.model.schema > schema/record.json` changes nothing."""
    done = subprocess.run([sys.executable, "-m", "sealgate.model.schema"], capture_output=True, check=True)

    assert done.stdout == FILE.read_bytes()


def test_the_generator_needs_only_the_model():
    """It imports nothing above ``model``."""
    code = "import sys, sealgate.model.schema; print(*(name for name in sys.modules if name.startswith('sealgate.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert {name.split(".")[1] for name in done.stdout.split()} == {"model"}


def test_it_is_a_schema_of_every_kind():
    """It is valid by its own dialect and has one choice for each kind that is written."""
    document = json.loads(FILE.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(document)

    assert {choice["properties"]["kind"]["const"] for choice in document["oneOf"]} == set(MODEL)


def test_members_are_required_and_closed():
    """Each structure demands all its members and allows no other, as the model does."""
    definitions = schema.document()["$defs"]

    for structure in set(MODEL.values()):
        names = [field.encode_name for field in msgspec.structs.fields(structure)]
        assert definitions[structure.__name__]["required"] == names
        assert definitions[structure.__name__]["additionalProperties"] is False
