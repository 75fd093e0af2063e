"""Records of one subject are sealed under keys of that subject alone."""

import asyncio

from sealgate.encoding import sealed_body
from sealgate.model.records import Kind
from sealgate.model.scopes import subject_prefix

SUBJECT = "sub_" + "a" * 26
OTHER = "sub_" + "b" * 26


async def _record(recorder, name, **where):
    draft = recorder.draft(Kind.EVENT_LOGGED)
    draft.fields = {"data_json": f'"{name}"', "claimed": True}
    return await recorder.record(draft, **where)


async def _write(kit):
    authority = await kit.started()
    recorder = authority._parts.recorder
    receipts = {
        "nobody": await _record(recorder, "nobody"),
        "subject": await _record(recorder, "subject", subject=SUBJECT),
        "classed": await _record(recorder, "classed", subject=SUBJECT, retention_class="payload"),
        "other": await _record(recorder, "other", subject=OTHER),
    }
    return authority, {name: receipt.index for name, receipt in receipts.items()}


async def _destroying_a_subject(kit):
    authority, index = await _write(kit)
    keys = authority._parts.data_keys
    scopes = keys.scopes(subject_prefix(SUBJECT))
    classes = {name: kit.reader.read(at).content()["retention_class"] for name, at in index.items()}
    key_ids = {
        name: sealed_body.key_id_of(next(kit.journal.read(at, at + 1))[1].sealed_body) for name, at in index.items()
    }
    keys.destroy_many(fact.key_id for fact in keys.facts(subject_prefix(SUBJECT)))
    left = {name: kit.reader.read(at).content() is not None for name, at in index.items()}
    await authority.stop()
    return scopes, classes, key_ids, left


def test_a_subject_s_keys_take_exactly_its_bodies_along(kit):
    """Each subject and class has a key of its own; destroying a subject's leaves every other body readable."""
    scopes, classes, key_ids, left = asyncio.run(_destroying_a_subject(kit))

    assert scopes == [f"default/{SUBJECT}/default", f"default/{SUBJECT}/payload"]
    assert classes == {"nobody": "default", "subject": "default", "classed": "payload", "other": "default"}
    assert len(set(key_ids.values())) == 4
    assert left == {"nobody": True, "subject": False, "classed": False, "other": True}
