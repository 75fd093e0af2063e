"""The certification scenario of the AuthZEN Authorization API 1.0, as far as it does not depend on a policy."""

import httpx
import pytest

from sealgate.model.evaluation import EvaluationRequest


def _decisions(response: httpx.Response) -> list[bool]:
    assert response.status_code == 200
    return [answer["decision"] for answer in response.json()["evaluations"]]


def test_a_minimal_request_is_decided(client, question):
    """2.2.1: the required members are enough, and the answer has a boolean decision."""
    response = client.post("/access/v1/evaluation", json=question)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json()["decision"] is True


def test_a_denial_is_200_too(client, question):
    """2.2.2: a denial is an answer, not an error."""
    question["action"]["name"] = "forbidden"

    response = client.post("/access/v1/evaluation", json=question)

    assert response.status_code == 200
    assert response.json()["decision"] is False


def test_foreign_context_becomes_facts(client, question, served):
    """2.2.3: context that is not ours is taken, and policies see it."""
    question["context"] = {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1", "facts": {"own": 1}}

    assert client.post("/access/v1/evaluation", json=question).json()["decision"] is True

    asked: EvaluationRequest = served.twin.calls[-1][1]
    assert asked.context.facts == {"own": 1, "time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}


def test_properties_arrive(client, question, served):
    """2.2.8: properties of subject, action and resource are taken."""
    for name in question:
        question[name]["properties"] = {"department": "Sales"}

    assert client.post("/access/v1/evaluation", json=question).status_code == 200

    asked: EvaluationRequest = served.twin.calls[-1][1]
    assert asked.subject.properties == asked.action.properties == asked.resource.properties == {"department": "Sales"}


def test_unknown_members_are_ignored(client, question):
    """2.2.9: members that a later version may define are no error."""
    question |= {"foo": "bar", "futureField": {"nested": True}}
    question["subject"]["later"] = 1

    assert client.post("/access/v1/evaluation", json=question).json()["decision"] is True


@pytest.mark.parametrize("path", ["/access/v1/evaluation", "/access/v1/evaluations"])
def test_a_strict_caller_has_unknown_members_refused(client, question, path):
    """A caller may ask for strictness, so that its own slip is an error (RFC 7240)."""
    strict = {"Prefer": "handling=strict"}
    assert client.post(path, json=question, headers=strict).status_code == 200

    response = client.post(path, json=question | {"contxt": {}}, headers=strict)

    assert response.status_code == 400
    assert "contxt" in response.json()["detail"]


@pytest.mark.parametrize(
    ("entity", "member"),
    [
        ("subject", None),
        ("action", None),
        ("resource", None),
        ("subject", "type"),
        ("subject", "id"),
        ("action", "name"),
        ("resource", "type"),
        ("resource", "id"),
    ],
)
def test_missing_members_are_400(client, question, entity, member):
    """2.4.1 and 2.4.2: each required member is required."""
    if member is None:
        del question[entity]
    else:
        del question[entity][member]

    response = client.post("/access/v1/evaluation", json=question)

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"subject"', "application/json"),
        (b"", "application/json"),
        (b"{}", "text/plain"),
        (b'{"subject":"alice","action":{"name":"a"},"resource":{"type":"t","id":"i"}}', "application/json"),
        (b'{"subject":{"type":"u","id":"a"},"action":{"name":1},"resource":{"type":"t","id":"i"}}', "application/json"),
    ],
    ids=["malformed", "empty", "content-type", "wrong-type", "wrong-member-type"],
)
def test_what_is_not_a_request_is_400(client, body, content_type):
    """2.4.3 to 2.4.6: the specification knows 400, so these are 400 here (elsewhere a wrong content type is 415)."""
    response = client.post("/access/v1/evaluation", content=body, headers={"Content-Type": content_type})

    assert response.status_code == 400


def test_the_request_id_comes_back(client, question, served):
    """2.5: the same id in the answer's header, and it is what the authority is asked under."""
    response = client.post("/access/v1/evaluation", json=question, headers={"X-Request-ID": "bfe9eb29"})

    assert response.headers["x-request-id"] == "bfe9eb29"
    assert served.twin.calls[-1][0] == "bfe9eb29"
    assert "x-request-id" not in client.post("/access/v1/evaluation", json=question).headers


def test_the_request_id_comes_back_with_an_error(client):
    """5.4: also when the request is refused."""
    response = client.post("/access/v1/evaluation", json={}, headers={"X-Request-ID": "bfe9eb29"})

    assert (response.status_code, response.headers["x-request-id"]) == (400, "bfe9eb29")


def test_defaults_are_filled_in(client, question, served):
    """3.2.1, 3.2.2, 3.2.6: an evaluation takes from the top what it leaves out."""
    batch = {
        "subject": question["subject"],
        "action": question["action"],
        "context": {"time": "early"},
        "evaluations": [
            {"resource": {"type": "t", "id": "1"}},
            {"resource": {"type": "t", "id": "2"}, "action": {"name": "forbid"}, "context": {"time": "late"}},
        ],
    }

    assert _decisions(client.post("/access/v1/evaluations", json=batch)) == [True, False]

    first, second = (asked for _, asked in served.twin.calls[-2:])
    assert (first.action.name, first.context.facts) == ("send_money", {"time": "early"})
    assert (second.action.name, second.context.facts) == ("forbid", {"time": "late"})


def test_no_defaults_are_needed(client, question):
    """3.2.5: every evaluation may be complete."""
    forbidden = question | {"action": {"name": "forbid"}}

    assert _decisions(client.post("/access/v1/evaluations", json={"evaluations": [question, forbidden]})) == [
        True,
        False,
    ]


def test_an_entity_takes_its_required_members_from_the_default(client, question, served):
    """3.2.7: a resource that names only its id has the type of the default, but not its properties."""
    batch = question | {
        "resource": {"type": "record", "properties": {"a": 1}},
        "evaluations": [{"resource": {"id": "1"}}],
    }

    assert _decisions(client.post("/access/v1/evaluations", json=batch)) == [True]

    resource = served.twin.calls[-1][1].resource
    assert (resource.type, resource.id, resource.properties) == ("record", "1", {})


def test_one_bad_evaluation_does_not_spoil_the_others(client, question):
    """3.4.1: an evaluation that cannot be asked is false, in its place, with the reason."""
    batch = {**question, "evaluations": [{}, {"action": {"name": 7}}, {}]}
    del batch["resource"]
    batch["evaluations"][0] = batch["evaluations"][2] = {"resource": {"type": "t", "id": "1"}}

    response = client.post("/access/v1/evaluations", json=batch)

    assert _decisions(response) == [True, False, True]
    assert response.json()["evaluations"][1]["context"]["error"]["status"] == 400


@pytest.mark.parametrize("more", [{}, {"evaluations": []}], ids=["missing", "empty"])
def test_without_evaluations_it_is_one_evaluation(client, question, more):
    """3.4.2 and 3.4.3: the plural endpoint then answers like the singular one."""
    response = client.post("/access/v1/evaluations", json=question | more)

    assert response.json()["decision"] is True
    assert "evaluations" not in response.json()


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_semantics(client, question, served, semantic, expected):
    """Section 7.1.2.1: the three semantics; what is not needed is not asked, so it leaves no decision."""
    forbidden = {"action": {"name": "forbid"}}
    batch = question | {"options": {"evaluations_semantic": semantic}, "evaluations": [{}, forbidden, {}]}

    assert _decisions(client.post("/access/v1/evaluations", json=batch)) == expected
    assert len(served.twin.calls) == len(expected)


def test_each_evaluation_of_a_batch_has_an_id_of_its_own(client, question, served):
    """Under one shared id the second would be taken for a repetition of the first."""
    batch = question | {"evaluations": [{}, {}]}

    client.post("/access/v1/evaluations", json=batch, headers={"X-Request-ID": "r"})

    assert [request_id for request_id, _ in served.twin.calls] == ["r#0", "r#1"]


@pytest.mark.parametrize(
    "change",
    [
        {"evaluations": {}},
        {"evaluations": [1]},
        {"evaluations": [{}] * 101},
        {"options": []},
        {"options": {"evaluations_semantic": "all"}},
    ],
    ids=["object", "not-objects", "too-many", "options", "semantic"],
)
def test_a_payload_that_does_not_fit_is_400(client, question, change):
    """Section 7.2.1: an error of the whole payload is an HTTP error; the same payload without it is answered."""
    assert client.post("/access/v1/evaluations", json=question | {"evaluations": [{}]}).status_code == 200

    assert client.post("/access/v1/evaluations", json=question | {"evaluations": [{}]} | change).status_code == 400


def test_metadata(client):
    """Section 9: the document names this decision point and its endpoints, as configured and not as `Host` says."""
    response = client.get("/.well-known/authzen-configuration", headers={"Host": "evil.example"})

    assert response.json() == {
        "policy_decision_point": "https://pdp.example.com",
        "access_evaluation_endpoint": "https://pdp.example.com/access/v1/evaluation",
        "access_evaluations_endpoint": "https://pdp.example.com/access/v1/evaluations",
    }
