"""Schemas from tool definitions: the convention's golden pairs, and every legal tool name."""

import json
import re
import tarfile

import cedarpy
import pytest

from sealgate.model.errors import InputError
from sealgate.policy.schema import Options, generate, parse_schema
from sealgate.policy.stub import DEFAULT_STUB, read_stub
from sealgate.policy.tools import read_tool
from sealgate.policy.type_names import cedar_string, legal_identifier

_PLAIN = Options(objects_as_records=False, numbers_as_decimal=False, normalized=False)
GOLDEN = [
    ("simple/tool", "simple/tool_default", _PLAIN),
    ("simple/tool", "simple/tool_objects_as_records", Options(numbers_as_decimal=False, normalized=False)),
    ("simple/tool", "simple/tool_encode_numbers_as_decimal", Options(objects_as_records=False, normalized=False)),
    (
        "simple/tool",
        "simple/tool_flattened_namespace",
        Options(objects_as_records=False, numbers_as_decimal=False, normalized=False, flatten=True),
    ),
    (
        "simple/tool",
        "simple/tool_include_outputs",
        Options(objects_as_records=False, numbers_as_decimal=False, normalized=False, include_outputs=True),
    ),
    ("simple/tool_tuple", "simple/tool_tuple", _PLAIN),
    ("simple/tool_mixed_array", "simple/tool_mixed_array", _PLAIN),
    ("simple/tool_nullable_objects", "simple/tool_nullable_objects", _PLAIN),
    ("dedup/dedup_leaf_record_no_match", "dedup/dedup_leaf_record_no_match", _PLAIN),
    ("dedup/dedup_leaf_record_different_required", "dedup/dedup_leaf_record_different_required", _PLAIN),
    ("dedup/dedup_same_name_different_variants", "dedup/dedup_same_name_different_variants", _PLAIN),
    ("dedup/dedup_collision_existing_entity", "dedup/dedup_collision_existing_entity", _PLAIN),
    ("dedup/dedup_enum_record_name_conflict", "dedup/dedup_enum_record_name_conflict", _PLAIN),
    ("strands/strands_tools", "strands/strands_tools", _PLAIN),
]


@pytest.fixture(scope="module", name="golden")
def _golden(data_folder):
    with tarfile.open(data_folder / "cedar" / "mcp-schema-golden.tar.xz") as tar:
        return {
            member.name.removeprefix("./"): tar.extractfile(member).read().decode() for member in tar if member.isfile()
        }


def _tools(text):
    value = json.loads(text)
    value = value.get("result", value)
    return [read_tool(item, "golden") for item in value.get("tools", [value])]


def _declarations(text):
    """Return every declaration with full type names, as a set: order and abbreviation do not matter."""
    printed = re.sub(r"[ \t]*@mcp_\w+\(\"[^\"]*\"\)\n", "", str(cedarpy.Schema.from_str(text)))
    found = set()
    space = ""
    for block in re.split(r"\n(?=namespace )", printed):
        head = re.match(r"\s*namespace ([\w:]+) \{", block)
        space = head[1] if head else ""
        body = block[head.end() :] if head else block
        for declaration in re.split(r"\n\n", body.strip().removesuffix("}")):
            short = re.sub(r"\s+", " ", declaration).strip()
            if short:
                found.add((space, _full(short, space)))
    return found


def _full(text, space):
    head, equals, rest = text.partition(" = ")
    if not equals:
        return text
    return head + equals + re.sub(rf"((?:: |<))(?:{re.escape(space)}::)?(\w+)(?=[,; }}>])", r"\1\2", rest)


@pytest.mark.parametrize(("tools", "schema", "options"), GOLDEN, ids=[pair[1] for pair in GOLDEN])
def test_golden_pair(golden, tools, schema, options):
    """The published generator and ours declare the same things for the same tools."""
    stub = read_stub(golden["stub.cedarschema"])

    text = generate(stub, _tools(golden[f"{tools}.json"]), options)

    assert _declarations(golden[f"{schema}.cedarschema"]) == _declarations(text)


@pytest.mark.parametrize(
    "name", ["get-weather", "читать", "in", "if", "Long", "a.b/c", "__x", "1st", 'quo"te', "back\\slash", "emoji 🙂 x"]
)
def test_any_legal_tool_name(name):
    """Hyphens, Unicode, reserved words and quotes: an action's name is a string, and types get a legal name."""
    tool = read_tool(
        {"name": name, "inputSchema": {"type": "object", "properties": {name: {"enum": ["a", name]}}}}, "s"
    )

    schema = parse_schema(generate(read_stub(DEFAULT_STUB), [tool]))

    policy = f"permit(principal, action == Action::{cedar_string(name)}, resource);"
    assert cedarpy.validate_policies(policy, schema).validation_passed
    wrong = f"permit(principal, action == Action::{cedar_string(name + 'x')}, resource);"
    assert not cedarpy.validate_policies(wrong, schema).validation_passed


def test_legal_identifiers_are_unique():
    """Two names never get one type name."""
    names = ["a-b", "a_b", "a.b", "a b", "in", "t_in"]

    assert len({legal_identifier(name) for name in names}) == len(names)


@pytest.mark.parametrize("server", ["everything", "fetch", "fs", "git", "time"])
def test_real_servers(data_folder, server):
    """The tool lists of real servers give a schema that loads."""
    tools = _tools((data_folder / "mcp" / f"{server}_tools.json").read_text(encoding="utf-8"))

    parse_schema(generate(read_stub(DEFAULT_STUB), tools))

    assert tools


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"x": {"$ref": "http://elsewhere/x.json"}}},
        {"type": "object", "properties": {"__extn": {"type": "string"}}},
        {"type": "object", "properties": []},
        {"type": "object", "properties": {"x": 1}},
        {"type": "object", "properties": {"x": {"anyOf": []}}},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ],
)
def test_malformed_tool_is_refused(schema):
    """What cannot be typed is refused when the bundle loads, not when an agent calls it."""
    with pytest.raises(InputError):
        read_tool({"name": "x", "inputSchema": schema}, "s")


def test_deep_tool_schema_is_refused():
    """A tool definition cannot exhaust the stack."""
    schema = {"type": "string"}
    for _ in range(40):
        schema = {"type": "object", "properties": {"x": schema}}

    with pytest.raises(InputError, match="deeper"):
        read_tool({"name": "x", "inputSchema": schema}, "s")
