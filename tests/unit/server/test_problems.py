"""The one error shape and its table."""

import inspect

from sealgate.model import errors
from sealgate.server import problems


def _classes() -> list[type[errors.SealgateError]]:
    found = [
        value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, errors.SealgateError)
    ]
    assert len(found) > 10
    return found


def test_every_error_class_has_its_own_line_in_the_table():
    """A new class cannot be forgotten: it would be answered as its base without anybody having decided so.

    Gaps are found by verifiers only, which no request reaches.
    """
    assert set(_classes()) - {errors.GapError} == set(problems.KIND_OF_ERROR)


def test_slugs_are_unique():
    """One slug is one kind of problem; a code of its own may repeat the table's."""
    slugs = [kind.slug for kind in problems.KIND_OF_ERROR.values()]

    assert len(slugs) == len(set(slugs))


def test_a_message_and_its_hint_reach_the_caller():
    """What the error says is what the caller reads."""
    content = problems.describe(errors.InputError("the input is bad", hint="mend it"))

    assert (content.status, content.detail, content.hint) == (400, "the input is bad", "mend it")


def test_what_is_the_operators_business_stays_out():
    """Evidence and configuration errors name files and indexes; the caller gets an incident instead."""
    for error in (errors.ConfigurationError("/secret/path"), errors.AlteredError("/secret/path", index=7)):
        content = problems.describe(error, "0123")

        assert "/secret" not in repr(content)
        assert content.instance == "urn:sealgate:incident:0123"


def test_codes_of_a_refusal():
    """A known code has its status; an unknown one is a 403 of its own name."""
    status = {
        code: problems.kind_of(errors.NotPermittedError("no", code=code)).status
        for code in ("permit-already-redeemed", "permit-expired", "permit-mismatch", "permit-unknown", "new-code")
    }

    assert status == {
        "permit-already-redeemed": 409,
        "permit-expired": 410,
        "permit-mismatch": 403,
        "permit-unknown": 404,
        "new-code": 403,
    }
    assert problems.kind_of(errors.NotPermittedError("no", code="new-code")).slug == "new-code"


def test_503_says_when_to_try_again():
    """A caller that waits as told does not make an overload worse."""
    busy = problems.answer(problems.problem(problems.OVERLOADED, "busy"))
    refused = problems.answer(problems.problem(problems.INVALID, "bad"))

    assert busy.headers == [(b"retry-after", b"1")]
    assert refused.headers == []
