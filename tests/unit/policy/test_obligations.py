"""Duties in annotations: a small strict grammar in which a misspelled duty is an error."""

import pytest

from sealgate.model.errors import InputError
from sealgate.policy.obligations import Approval, read
from sealgate.policy.policy_set import parse_policies


def _read(annotations, effect="permit"):
    (policy,) = parse_policies(f"{annotations} {effect}(principal, action, resource);", "file")
    return read(policy)


def test_grammar():
    """Each verb has its form, and an approval names a role and a number."""
    duties = _read('@obligation("redact:card cap:amount=99.50 rate:3/hour") @require_approval("treasurer:2")')

    assert [(duty.id, duty.params) for duty in duties.obligations] == [
        ("redact", {"target": "card"}),
        ("cap", {"target": "amount", "max": "99.50"}),
        ("rate", {"max": 3, "per": "hour"}),
    ]
    assert duties.approval == Approval("treasurer", 2, "file#0")


@pytest.mark.parametrize(
    "annotations",
    [
        '@obligation("")',
        '@obligation("redact")',
        '@obligation("redact:")',
        '@obligation("redact:a=1")',
        '@obligation("cap:amount")',
        '@obligation("explode:now")',
        '@obligation("redact:a  mask:b")',
        '@obligation("rate:0/hour")',
        '@obligation("rate:1/week")',
        '@require_approval("treasurer")',
        '@require_approval("treasurer:0")',
        '@require_approvals("treasurer:1")',
        '@obligations("redact:a")',
        '@redact("a")',
        '@limit("3")',
    ],
)
def test_malformed_duties(annotations):
    """A duty that is not understood is never dropped."""
    with pytest.raises(InputError, match="line 1"):
        _read(annotations)


def test_foreign_annotations_are_left_alone():
    """An annotation that does not look like ours is the author's own."""
    assert _read('@team("blue")').obligations == ()


def test_a_forbid_has_no_duties():
    """A duty on a forbid could never be carried."""
    with pytest.raises(InputError, match="forbid"):
        _read('@obligation("redact:a")', "forbid")
