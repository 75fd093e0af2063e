"""Two persons for a policy set, granted roles, configuration records: each survives a restart."""

import asyncio
import itertools
from pathlib import Path

import pytest

from sealgate.adapters.configuration import loading
from sealgate.adapters.configuration.roles import ROLES, not_separate
from sealgate.adapters.identity.api_keys import ApiKeys
from sealgate.model.errors import ConfigurationError, InputError, NotPermittedError
from sealgate.model.evaluation import Identity
from sealgate.model.grants import GrantRequest

from .conftest import CALLER, bundle, question

ALICE = Identity(principal="alice", proof="unix_peer", roles=frozenset({"publish", "administer"}))
BOB = Identity(principal="bob", proof="unix_peer", roles=frozenset({"approve"}))


def _run(kit, scenario, **options):
    async def life():
        authority = kit.build(**options)
        await authority.start()
        try:
            return await scenario(authority)
        finally:
            await authority.stop()

    return asyncio.run(life())


def test_a_proposal_is_not_in_force_until_another_approves(kit):
    """Proposed: nothing changes. Approved by its proposer: refused. By another: in force, with both names recorded."""

    async def scenario(authority):
        proposed = await authority.publish_policy(bundle(), ALICE)
        assert proposed.status == "pending"
        assert authority.current_policy() is None
        assert (await authority.evaluate(question(), CALLER, None)).decision is False
        with pytest.raises(NotPermittedError, match="nobody approves"):
            await authority.approve_policy(proposed.policy_version, ALICE)
        with pytest.raises(NotPermittedError):
            await authority.approve_policy("sha256:00", BOB)
        approved = await authority.approve_policy(proposed.policy_version, BOB)
        assert approved.status == "published"
        assert (await authority.evaluate(question(), CALLER, None)).decision is True
        assert authority.pending_policy() is None
        with pytest.raises(NotPermittedError):
            await authority.approve_policy(proposed.policy_version, BOB)
        return kit.bodies()

    bodies = {body["kind"]: body for body in _run(kit, scenario, second_person=True)}
    published = bodies["policy.published"]
    assert bodies["policy.proposed"]["proposed_by"] == published["proposed_by"] == "alice"
    assert published["approved_by"] == "bob"


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_proposal_and_grants_survive_a_restart(kit, snapshot):
    """From the snapshot and from the journal alone, the same waits and the same is granted."""

    async def first(authority):
        proposed = await authority.publish_policy(bundle(), ALICE)
        request = GrantRequest(principal="eve", role="analyst", reason="look")
        granted = await authority.grant_role(request, ALICE)
        revoked = await authority.grant_role(request, ALICE)
        await authority.revoke_role(revoked.record_id, "over", ALICE)
        return proposed.policy_version, granted.record_id

    version, grant_id = _run(kit, first, second_person=True)
    if not snapshot:
        (kit.folder / "snapshot").unlink()

    async def second(authority):
        assert authority.pending_policy()["policy_version"] == version
        assert [(grant.grant_id, grant.principal) for grant in authority.grants()] == [(grant_id, "eve")]
        await authority.approve_policy(version, BOB)

    _run(kit, second, second_person=True)


def test_with_one_person_configured_a_set_is_in_force_at_once(kit):
    """The positive control: the former way, for who chose it."""

    async def scenario(authority):
        assert (await authority.publish_policy(bundle(), ALICE)).status == "published"
        assert (await authority.evaluate(question(), CALLER, None)).decision is True

    _run(kit, scenario)


def test_nobody_grants_to_themselves_and_an_auditor_needs_a_box(kit):
    """Refused without a record; the same grant to another, and with a box and an end, is made."""

    async def scenario(authority):
        own = GrantRequest(principal="alice", role="investigator", reason="me")
        with pytest.raises(NotPermittedError):
            await authority.grant_role(own, ALICE)
        for bad in (
            GrantRequest(principal="eve", role="auditor", reason="x"),
            GrantRequest(principal="eve", role="auditor", reason="x", valid_until="2030-01-01T00:00:00Z"),
            GrantRequest(principal="eve", role="king", reason="x"),
            GrantRequest(principal="eve", role="analyst", reason="x", kinds=["*"]),
            GrantRequest(principal="eve", role="analyst", reason="x", valid_until="tomorrow"),
        ):
            with pytest.raises(InputError):
                await authority.grant_role(bad, ALICE)
        good = GrantRequest(
            principal="eve", role="auditor", reason="audit", valid_until="2030-01-01T00:00:00Z", agents=["a1"]
        )
        await authority.grant_role(good, ALICE)
        return kit.bodies()

    granted = [body for body in _run(kit, scenario) if body["kind"] == "role.granted"]
    assert [(body["principal"], body["granted_by"]) for body in granted] == [("eve", "alice")]


def test_a_changed_configuration_is_a_record(kit):
    """The first start tells all, the same again tells nothing, a change names what changed and never a value."""

    async def nothing(_):
        return kit.bodies()

    for settings in ({"a.x": "1", "a.y": "2"}, {"a.x": "1", "a.y": "2"}, {"a.x": "9secret", "a.z": "3"}):
        bodies = _run(kit, nothing, settings=settings)
    changes = [body for body in bodies if body["kind"] == "configuration.changed"]

    assert [body["changed"] for body in changes] == [[], ["a.x", "a.y", "a.z"]]
    assert changes[1]["previous_sha256"] == changes[0]["configuration_sha256"]
    assert "9secret" not in str(changes)


_TEXT = """
[authority]
origin = "a.example/log"
id = "a"
[[identity]]
name = "one"
uid = 1
roles = [{roles}]
"""


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(ROLES, 2)))
def test_no_identity_both_changes_policy_and_approves(one, other):
    """Of all pairs of roles exactly publish and approve are refused together, whatever else is held."""
    text = _TEXT.format(roles=", ".join(f'"{role}"' for role in (one, other)))
    if {one, other} == {"publish", "approve"}:
        with pytest.raises(ConfigurationError, match="holds `approve` and `publish`"):
            loading.parse(text, base=Path("/"), environment={})
    else:
        assert loading.parse(text, base=Path("/"), environment={}).identity[0].roles == (one, other)


def test_nor_does_an_api_key(tmp_path):
    """The same for keys; each role alone is fine."""
    keys = ApiKeys(tmp_path / "keys.json")
    with pytest.raises(InputError, match="approve"):
        keys.add("k", agents=[], roles=["publish", "read", "approve"], created="2026-01-01T00:00:00Z")
    for role in ("publish", "approve"):
        keys.add("k", agents=[], roles=[role], created="2026-01-01T00:00:00Z")
    assert not_separate(ROLES)
