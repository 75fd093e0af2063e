"""The proxy example of the documentation, asked as Envoy would."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sealgate.demo.authority import Authority

SNIPPET = Path(__file__).resolve().parents[3] / "docs" / "snippets" / "ext_authz.py"
TOOL = {
    "name": "http_request",
    "inputSchema": {
        "type": "object",
        "properties": {"method": {"type": "string"}, "path": {"type": "string", "x-sealgate-place": False}},
        "required": ["method", "path"],
    },
}


@pytest.fixture(name="proxy_port")
def _proxy_port():
    """The example in front of an authority that permits reading."""
    with tempfile.TemporaryDirectory(prefix="sg-") as folder, Authority(Path(folder) / "a") as authority:
        rules = Path(folder) / "rules"
        (rules / "policies").mkdir(parents=True)
        (rules / "tools").mkdir()
        (rules / "tools" / "api.json").write_text(json.dumps({"server": "api", "tools": [TOOL]}))
        (rules / "policies" / "read.cedar").write_text(
            'permit (principal, action == Action::"http_request", resource) when { context.input.method == "GET" };'
        )
        authority.publish(rules)
        environment = {**os.environ, "SEALGATE_SOCKET": str(authority.socket), "SEALGATE_SPOOL": f"{folder}/spool"}
        with subprocess.Popen([sys.executable, SNIPPET, "0"], stdout=subprocess.PIPE, env=environment) as server:
            yield int(server.stdout.readline())
            server.terminate()


def test_only_what_policy_permits_passes(proxy_port):
    """Reading passes, with the id of the record; writing does not."""
    answers = {}
    for method in ("GET", "POST"):
        connection = http.client.HTTPConnection("127.0.0.1", proxy_port, timeout=60)
        connection.request(method, "/invoices")
        answer = connection.getresponse()
        answers[method] = (answer.status, bool(answer.headers["x-sealgate-record"]))
        connection.close()
    assert answers == {"GET": (200, True), "POST": (403, True)}
