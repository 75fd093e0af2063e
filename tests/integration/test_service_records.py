"""Services hand their records to the authority: checked member by member, and only from the role ``service``."""

import asyncio

import pytest

from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.evaluation import CaptureRequest, Identity
from sealgate.model.records import SERVICE_KINDS, Kind

from .conftest import CALLER

SERVICE = Identity(principal="evidence", proof="unix_peer", roles=frozenset({"service"}))
ACCESS = {
    "service": "evidence",
    "operation": "search",
    "reader": {"principal": "carol", "proof": "unix_peer", "roles": ["analyst"]},
    "target": None,
    "filter": [{"field": "agent", "value": "a1"}],
    "outcome": "allowed",
    "refusal": None,
    "policies": ["roles"],
    "policy_version": "sha256:00",
    "hidden": ["body"],
    "count": 3,
    "record_ids": [],
    "digest": None,
    "reason": "incident 7",
    "approver": None,
}
SAMPLES = {Kind.ACCESS: ACCESS}


def _in_authority(kit, scenario):
    async def run():
        authority = await kit.started()
        try:
            return await scenario(authority)
        finally:
            await authority.stop()

    return asyncio.run(run())


def test_every_service_kind_is_recorded(kit):
    """A sample of each kind becomes a record with exactly its members, and no kind is without a sample."""
    assert set(SAMPLES) == SERVICE_KINDS

    async def scenario(authority):
        for kind, data in SAMPLES.items():
            await authority.capture(CaptureRequest(kind=kind, data=data, request_id=f"r-{kind}"), SERVICE)
        return kit.bodies()

    written = {body["kind"]: body for body in _in_authority(kit, scenario)}
    for kind, data in SAMPLES.items():
        assert {name: written[kind][name] for name in data} == data
        assert written[kind]["agent"]["principal"] == "evidence"


@pytest.mark.parametrize("kind", sorted(SERVICE_KINDS))
def test_members_are_strict(kit, kind):
    """A missing, a foreign and a mistyped member are refused; nothing is written."""
    good = SAMPLES[kind]
    some = next(iter(good))
    bad = [{k: v for k, v in good.items() if k != some}, {**good, "extra": 1}, {**good, some: {"not": "this"}}]

    async def scenario(authority):
        for data in bad:
            with pytest.raises(InputError):
                await authority.capture(CaptureRequest(kind=kind, data=data), SERVICE)
        return kit.bodies()

    assert not [body for body in _in_authority(kit, scenario) if body["kind"] == kind]


def test_only_a_service_may(kit):
    """An enforcement point may not write an access record; a service may not capture an agent's event."""

    async def scenario(authority):
        with pytest.raises(NotPermittedError):
            await authority.capture(CaptureRequest(kind="access", data=ACCESS), CALLER)
        with pytest.raises(NotPermittedError):
            await authority.capture(CaptureRequest(kind="event.logged", data={}, agent="a1"), SERVICE)
        await authority.capture(CaptureRequest(kind="access", data=ACCESS), SERVICE)
        await authority.capture(CaptureRequest(kind="event.logged", data={}, agent="a1"), CALLER)

    _in_authority(kit, scenario)


def test_a_repeated_request_is_one_record(kit):
    """The same request id gives the first answer again; with other members it is refused."""

    async def scenario(authority):
        request = CaptureRequest(kind="access", data=ACCESS, request_id="once")
        first = await authority.capture(request, SERVICE)
        again = await authority.capture(request, SERVICE)
        assert again.record_id == first.record_id
        other = CaptureRequest(kind="access", data={**ACCESS, "count": 9}, request_id="once")
        with pytest.raises(NotPermittedError) as reused:
            await authority.capture(other, SERVICE)
        assert reused.value.code == "request-id-reused"

    _in_authority(kit, scenario)
