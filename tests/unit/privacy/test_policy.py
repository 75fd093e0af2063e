"""The field policy is strict: what it does not know it refuses; its digest names it."""

import pytest

from sealgate.model.errors import ConfigurationError
from sealgate.privacy import FieldPolicy
from sealgate.privacy.paths import fits, may_fit_below, parse

WHOLE = """
version = 1
[defaults]
content = "hash"
text = "keep"
[detectors]
off = ["us_bank"]
minimum_score = 0.4
[actions]
default = "mask"
email = "token"
employee = "hash"
[[field]]
kind = "tool.*"
tool = "send_*"
path = "attributes.input.value.amount"
action = "keep"
detectors = false
type = "amount"
[[pattern]]
name = "employee"
pattern = 'E-\\d{6}'
context = "staff"
ignore_case = true
"""

REFUSED = {
    "unknown member": "colour = 1",
    "unknown key of a field": "[[field]]\npath = 'a'\naction = 'keep'\nfoo = 1",
    "unknown action": "[[field]]\npath = 'a'\naction = 'kep'",
    "no action": "[[field]]\npath = 'a'",
    "empty part of a path": "[[field]]\npath = 'a..b'\naction = 'keep'",
    "unknown detector": "[detectors]\noff = ['emial']",
    "both on and off": "[detectors]\non = ['email']\noff = ['iban']",
    "score": "[detectors]\nminimum_score = 2",
    "version": "version = 2",
    "unknown finding": "[actions]\nemial = 'mask'",
    "finding's action": "[actions]\nemail = 'keep'",
    "back reference": "[[pattern]]\nname = 'x'\npattern = '(a)\\1'",
    "look ahead": "[[pattern]]\nname = 'x'\npattern = 'a(?=b)'",
    "fits nothing": "[[pattern]]\nname = 'x'\npattern = 'a*'",
    "long pattern": f"[[pattern]]\nname = 'x'\npattern = '{'a' * 1001}'",
    "name of ours": "[[pattern]]\nname = 'email'\npattern = 'a'",
    "name with brackets": "[[pattern]]\nname = 'a]b'\npattern = 'a'",
    "no table": "defaults = 1",
    "no array": "field = 1",
    "no TOML": "= 1",
}


def test_reads_everything():
    """A policy with every member is read, and read again from what it says of itself."""
    policy = FieldPolicy.from_toml(WHOLE)
    again = FieldPolicy.from_mapping(policy.as_mapping())

    assert again.digest == policy.digest
    assert policy.action_for("email") == "token"
    assert policy.action_for("iban") == "mask"
    assert [rule.action for rule in policy.applicable("tool.call", "send_money")] == ["keep"]
    assert policy.applicable("tool.call", "read") == policy.applicable("reasoning", "send_money") == ()


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name):
    """What is not known or not safe is refused with one line."""
    with pytest.raises(ConfigurationError) as caught:
        FieldPolicy.from_toml(REFUSED[name])

    assert "\n" not in caught.value.message


def test_digest_changes_with_any_member():
    """Two policies that differ have different digests; equal ones the same, however they are written."""
    plain = FieldPolicy.from_mapping({})

    assert FieldPolicy.from_toml("# nothing\nversion = 1").digest == plain.digest
    assert FieldPolicy.from_toml("[defaults]\ncontent = 'keep'").digest != plain.digest
    assert FieldPolicy.from_toml("[actions]\nemail = 'hash'").digest != plain.digest


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.*", "a.b", True),
        ("a.*.c", "a.b.c", True),
        ("a.**", "a.b.c", True),
        ("**.c", "a.b.c", True),
        ("a.**.c", "a.c", True),
        ("a.b*", "a.bar", True),
        ("a.**.d", "a.b.c", False),
    ],
)
def test_paths(pattern, path, expected):
    """Patterns describe exactly the paths that they say."""
    assert fits(parse(pattern), parse(path)) is expected


def test_allow_lists_are_seen_from_above():
    """A pattern of something deeper is known to lie below, one of another branch is not."""
    assert may_fit_below(parse("a.b.c"), parse("a.b"))
    assert may_fit_below(parse("**.c"), parse("a.b"))
    assert not may_fit_below(parse("a.x.c"), parse("a.b"))
    assert not may_fit_below(parse("a.b"), parse("a.b"))
