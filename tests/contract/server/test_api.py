"""Every other path: what it answers, to whom, and the one error shape."""

import re
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

OPERATOR = {"Authorization": "Bearer everything"}
LIMITED = {"Authorization": "Bearer enforce-only"}


def _is_problem(response: httpx.Response, status: int, slug: str) -> bool:
    content = response.json()
    assert (response.status_code, content["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert content["type"] == f"urn:sealgate:problem:{slug}"
    assert content["title"]
    assert content["detail"]
    return True


def _decide(client: httpx.Client, question: dict[str, object]) -> dict[str, object]:
    return client.post("/access/v1/evaluation", json=question).json()["context"]


def test_a_permit_is_redeemed_once(client, question):
    """The first redemption is 200, the second 409."""
    wanted = {
        "permit": _decide(client, question)["permit"]["token"],
        "tool": "send_money",
        "arguments_sha256": "0" * 64,
    }

    first, second = (client.post("/v1/permits/redeem", json=wanted) for _ in range(2))

    assert first.json()["status"] == "redeemed"
    assert _is_problem(second, 409, "permit-already-redeemed")
    assert second.json()["hint"] == "ask again"
    assert _is_problem(client.post("/v1/permits/redeem", json=wanted | {"permit": "x"}), 404, "permit-unknown")


def test_outcomes_and_records_are_recorded(client, served):
    """Both answer with the record and its receipt, and arrive as they were sent."""
    outcome = {"decision_id": "d", "status": "failed", "duration_ms": 3, "error": {"type": "OSError"}}

    assert client.post("/v1/outcomes", json=outcome).json()["receipt"]["index"] == 0
    assert (
        client.post("/v1/records", json={"kind": "event.logged", "data": {"a": [1.5]}}).json()["receipt"]["index"] == 1
    )
    assert [asked.status for _, asked in served.twin.calls[:1]] == ["failed"]
    assert served.twin.calls[1][1].data == {"a": [1.5]}


def test_unknown_members_are_refused_outside_of_authzen(client):
    """A misspelled member is an error and not an ignored wish."""
    response = client.post("/v1/records", json={"kind": "k", "dat": {}})

    assert _is_problem(response, 400, "invalid-request")
    assert "`dat`" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/access/v1/evaluation", "/access/v1/evaluations", "/v1/records", "/v1/policies"])
def test_a_duplicate_key_is_refused(client, path):
    """Two readers could believe two different things."""
    response = client.post(path, content=b'{"kind":"a","kind":"b"}', headers={"Content-Type": "application/json"})

    assert _is_problem(response, 400, "malformed")


def test_receipts(client, question):
    """A receipt is JSON, a tlog-proof and a transparent statement; what does not exist yet is 404 and says so."""
    first, second = (_decide(client, question)["record_id"] for _ in range(2))

    assert client.get(f"/v1/receipts/{first}").json()["state"] == "included"
    assert client.get(f"/v1/receipts/{first}/tlog-proof").text.startswith("c2sp.org/tlog-proof@v1")
    assert client.get(f"/v1/receipts/{first}/transparent-statement").headers["content-type"] == "application/cose"
    assert _is_problem(client.get(f"/v1/receipts/{second}/tlog-proof"), 404, "not-proven-yet")
    assert _is_problem(client.get(f"/v1/receipts/{second}/transparent-statement"), 404, "not-proven-yet")
    unknown = "/v1/receipts/00000000-0000-7000-8000-000000000000"
    assert _is_problem(client.get(unknown), 404, "record-unknown")
    assert _is_problem(client.get("/v1/receipts/x"), 400, "invalid-request")


def test_agents_are_paused_and_resumed(client, served):
    """The agent's name comes from the path, percent-decoded."""
    assert client.post("/v1/agents/agent%20one%2Fb/pause", json={"reason": "odd"}).status_code == 200
    assert client.post("/v1/agents/a1/resume").status_code == 200
    assert client.post("/v1/agents/a1/resume", json={}).status_code == 200
    assert client.get("/v1/agents").json() == {"agents": [{"id": "a1", "paused": False}]}
    assert [name for name, _ in served.twin.calls] == ["agent one/b", "a1", "a1"]
    assert _is_problem(client.post("/v1/agents/%ff/pause", json={"reason": "odd"}), 400, "invalid-request")


def test_policies_are_published_and_shown(client):
    """The bundle's bytes are passed on as they came."""
    assert _is_problem(client.get("/v1/policies/current"), 404, "policy-unknown")
    assert client.post("/v1/policies", json={"format": "x"}).status_code == 200
    assert client.get("/v1/policies/current").json() == {"version": "bytes:14"}
    assert client.post("/v1/keys/rotate").status_code == 200


def test_the_public_log(client):
    """Anybody reads the checkpoint and tiles; no other name reaches the directory."""
    assert client.get("/v1/log/checkpoint").text.startswith("origin")
    tile = client.get("/v1/log/tile/0/x001/234.p/5")
    assert (len(tile.content), tile.headers["cache-control"]) == (160, "public, max-age=31536000, immutable")
    assert client.get("/v1/log/tile/entries/000").status_code == 200
    for name in ("0/001", "..%2f..%2fkeys", "0/x001/234.p/256", "0/1", "64/000", "entries/000%00"):
        assert _is_problem(client.get(f"/v1/log/tile/{name}"), 404, "not-found")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}], ids=["none", "wrong"])
def test_an_unknown_caller_is_401(served, question, headers):
    """Nobody asks anonymously; a wrong key on the local socket does not fall back to the process."""
    with httpx.Client(timeout=60, verify=_trust(served), base_url=served.url) as client:
        response = client.post("/access/v1/evaluation", json=question, headers=headers)
        assert _is_problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"] == 'Bearer realm="sealgate"'
        assert client.post("/access/v1/evaluation", json=question, headers=OPERATOR).status_code == 200
    with served.client() as local:
        assert local.post("/access/v1/evaluation", json=question, headers=headers).status_code == (
            401 if headers else 200
        )


def _trust(served):
    import ssl

    return ssl.create_default_context(cafile=served.authority.file)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/agents/a1/pause"),
        ("POST", "/v1/agents/a1/resume"),
        ("GET", "/v1/agents"),
        ("POST", "/v1/policies"),
        ("POST", "/v1/keys/rotate"),
    ],
)
def test_a_caller_without_the_role_is_403(client, method, path):
    """An enforcement point may ask, but not operate; an operator may."""
    body = {"reason": "r"} if path.endswith("pause") else {}

    assert _is_problem(client.request(method, path, json=body, headers=LIMITED), 403, "not-permitted")
    assert client.request(method, path, json=body, headers=OPERATOR).status_code == 200


def test_speaking_for_another_agent_is_403(client, question):
    """The authority refuses a subject that the caller may not speak for."""
    assert client.post("/access/v1/evaluation", json=question, headers=LIMITED).status_code == 200
    question["subject"]["id"] = "a2"

    assert _is_problem(client.post("/access/v1/evaluation", json=question, headers=LIMITED), 403, "not-permitted")


def test_unknown_paths_and_methods(client):
    """404 where there is nothing, 405 with `Allow` where there is another method."""
    assert _is_problem(client.get("/nothing"), 404, "not-found")
    assert _is_problem(client.get("/v1/receipts"), 404, "not-found")
    response = client.get("/access/v1/evaluation")
    assert _is_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "POST"
    assert client.delete("/healthz").headers["allow"] == "GET, HEAD"


def test_a_wrong_content_type_is_415(client):
    """Outside of AuthZEN the status says what it is; parameters of the right type do not matter."""
    body = b'{"kind":"k"}'

    assert _is_problem(
        client.post("/v1/records", content=body, headers={"Content-Type": "text/plain"}), 415, "unsupported-media-type"
    )
    assert client.post("/v1/records", content=body).status_code == 415
    right = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/v1/records", content=body, headers=right).status_code == 200


@pytest.mark.parametrize(
    ("action", "status", "slug"),
    [
        ("broken_input", 400, "invalid-request"),
        ("broken_journal", 503, "journal-unavailable"),
        ("broken_configuration", 500, "misconfigured"),
        ("broken_bug", 500, "internal"),
    ],
)
def test_errors_are_problems(client, question, action, status, slug):
    """Each error has its problem; what only the operator should know is not in it."""
    question["action"]["name"] = action

    response = client.post("/access/v1/evaluation", json=question)

    assert _is_problem(response, status, slug)
    assert not re.search("secret|internal detail|Traceback|Error", response.text)
    assert ("retry-after" in response.headers) is (status == 503)
    assert ("instance" in response.json()) is (status == 500)


def test_an_unexpected_error_is_logged_under_its_instance(client, question, caplog):
    """The operator finds the cause under the id that the caller was told."""
    question["action"]["name"] = "broken_bug"

    instance = client.post("/access/v1/evaluation", json=question).json()["instance"].rpartition(":")[2]

    assert instance in caplog.text
    assert "an internal detail" in caplog.text


@pytest.mark.parametrize("raw", ["", "a b", "é", "x" * 201], ids=["empty", "space", "accent", "long"])
def test_a_request_id_that_cannot_be_used_is_400(client, question, raw):
    """It becomes part of a record, so it is refused and not repaired."""
    response = client.post("/access/v1/evaluation", json=question, headers={"X-Request-ID": raw.encode("latin-1")})

    assert response.status_code == 400


def test_health_and_readiness(client, served):
    """Health is about the process; readiness says why not."""
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"ready": True, "checks": {"journal": "ok"}}
    served.twin.not_ready = "disk full"

    response = client.get("/readyz")

    assert (response.status_code, response.json()["checks"]) == (503, {"journal": "disk full"})
    assert client.get("/healthz").status_code == 200


def test_metrics_are_prometheus_text(client, question):
    """The official parser reads them; decisions are counted by outcome and timed."""
    for name in ("send_money", "send_money", "forbid"):
        question["action"]["name"] = name
        client.post("/access/v1/evaluation", json=question)

    response = client.get("/metrics")

    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    decisions = {sample.labels["outcome"]: sample.value for sample in families["sealgate_decisions"].samples}
    assert decisions == {"PERMIT": 2, "DENY": 1}
    timed = {sample.name: sample.value for sample in families["sealgate_decision_seconds"].samples if not sample.labels}
    assert timed["sealgate_decision_seconds_count"] == 3
    assert families["sealgate_journal_records"].type == "counter"
    assert families["sealgate_log_size"].type == "gauge"
    assert "text/plain" in response.headers["content-type"]


def test_the_document_is_served(client):
    """Anybody may read what the API is."""
    assert client.get("/openapi.json").json()["openapi"] == "3.1.0"


def test_too_many_decisions_at_once_are_silence(make_served, question):
    """Over the bound the answer is SILENCE at once, and the waiting ones are still answered."""
    import threading

    served = make_served(max_in_flight=2)
    slow = question | {"action": {"name": "slow"}}
    answers: list[bool] = []

    def ask() -> None:
        with served.client() as client:
            answers.append(client.post("/access/v1/evaluation", json=slow).json()["decision"])

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    while served.twin.waiting < 2:
        time.sleep(0.01)
    with served.client() as client:
        response = client.post("/access/v1/evaluation", json=question, headers={"X-Request-ID": "third"})
        assert response.status_code == 200
        assert response.json()["decision"] is False
        context = response.json()["context"]
        assert (context["outcome"], context["reason"], context["request_id"]) == ("SILENCE", "overloaded", "third")
        served.call(served.twin.release.set)
        for thread in threads:
            thread.join(60)
        assert answers == [True, True]
        assert client.post("/access/v1/evaluation", json=question).json()["decision"] is True
