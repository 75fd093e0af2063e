"""The client's tasks and delegations over the real socket and the real authority."""

import asyncio
import os
import threading

import pytest

from sealgate.adapters.configuration.sections.callers import IdentityEntry
from sealgate.adapters.identity.resolver import ConfiguredIdentities
from sealgate.sdk.client import Client
from sealgate.sdk.errors import RequestRefused
from sealgate.server.api import authority_api
from sealgate.server.listeners import Listeners, UnixListener
from sealgate.server.serving import Server

from .conftest import CALLER, bundle


@pytest.fixture
def socket(kit, tmp_path):
    """The socket of an authority that knows this process, with a policy set in force."""
    path = tmp_path / "run" / "s.sock"
    listeners = Listeners(unix=UnixListener(path))
    up, held = threading.Event(), []

    async def main():
        authority = kit.build()
        names = ("a1", "a3", "a4")
        entry = IdentityEntry(name="tester", uid=os.getuid(), agents=names, roles=("enforce",))
        server = Server(authority_api(authority, listeners), ConfiguredIdentities([entry]), listeners)
        held.extend((asyncio.get_running_loop(), server))
        loop = asyncio.get_running_loop()

        def ready():
            published = loop.create_task(authority.publish_policy(bundle(), CALLER))
            published.add_done_callback(lambda _: up.set())

        await server.run(ready, signals=False)

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert up.wait(60)
    yield path
    held[0].call_soon_threadsafe(held[1].stop)
    thread.join(60)


def _client(socket, tmp_path, agent):
    return Client(agent=agent, server="bank", socket=socket, spool=tmp_path / "spool", timeout_s=60)


def test_a_managed_task_ends_at_the_authority(socket, tmp_path):
    """Inside: permitted. Afterwards, with the same id: denied. Twice started: the code inside does not run."""
    with _client(socket, tmp_path, "a1") as client:
        with client.task("rent", id="t1", managed=True):
            assert client.decide("pay", {"to": "bob", "amount": 5}).permitted
        with client.task("rent", id="t1"):
            after = client.decide("pay", {"to": "bob", "amount": 5})
        assert (after.permitted, after.reason) == (False, "task_ended")
        with pytest.raises(RequestRefused), client.task("rent", id="t1", managed=True):
            pytest.fail("it ran")


def test_an_awaiting_client_does_the_same(socket, tmp_path):
    """Start and end awaited; an error inside goes on its way."""

    async def fails(client):
        async with client.task("rent", id="t2", managed=True):
            assert (await client.decide("pay", {"to": "bob", "amount": 5})).permitted
            raise ZeroDivisionError

    async def scenario():
        async with _client(socket, tmp_path, "a1").asynchronous as client:
            with pytest.raises(ZeroDivisionError):
                await fails(client)
            async with client.task("rent", id="t2"):
                return (await client.decide("pay", {"to": "bob", "amount": 5})).reason

    assert asyncio.run(scenario()) == "task_ended"


def test_agents_delegate_below_what_they_were_delegated(socket, tmp_path):
    """Within the bounds: permitted. Beyond, or after it was revoked: denied. Wider: refused."""
    bound = {"tool": "pay", "argument": "amount", "max": "50"}
    with _client(socket, tmp_path, "a1") as first, _client(socket, tmp_path, "a3") as second:
        top = first.delegate("a3", tools=["pay"], bounds=[bound])
        with second.task("rent", delegation=top):
            below = second.delegate("a4")
            with pytest.raises(RequestRefused):
                second.delegate("a4", tools=["read"])
        with _client(socket, tmp_path, "a4") as third, third.task("rent", delegation=below):
            assert third.decide("pay", {"to": "bob", "amount": 50}).permitted
            assert third.decide("pay", {"to": "bob", "amount": 51}).reason == "not_delegated"
            first.revoke_delegation(top, "over")
            assert third.decide("pay", {"to": "bob", "amount": 50}).reason == "not_delegated"
