"""The client of the evidence service takes an export for what was recorded, or not at all."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sealgate.model.errors import AlteredError, InputError, UnavailableError
from sealgate.sdk.evidence import EvidenceClient

PARTS = [b"first " * 1000, b"second " * 1000]
WHOLE = b"".join(PARTS)


class Service(BaseHTTPRequestHandler):
    """Tells of an export of two parts, and gives what its server is told to give."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Tell of it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        ready = {"export_id": "e", "parts": 2, "bytes": len(WHOLE), "digest": hashlib.sha256(WHOLE).hexdigest()}
        self._answer(json.dumps({"export": {**ready, **self.server.told}, "access": {}}).encode())

    def do_GET(self):
        """Give a part."""
        self._answer(self.server.parts[int(self.path.rpartition("/")[2])])

    def _answer(self, content):
        self.send_response(200 if content is not None else 503)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(name="service")
def _service():
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        server.daemon_threads = True
        server.asked, server.told, server.parts = 0, {}, PARTS
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(name="client")
def _client(service):
    with EvidenceClient(url=f"http://127.0.0.1:{service.server_port}", api_key="sg_x") as client:
        yield client


def test_an_export_that_is_what_was_recorded_gets_its_name(client, tmp_path):
    """Of it and of nothing else there is a file."""
    done = []
    client.export(tmp_path / "out", progress=lambda count, _of: done.append((count, _names(tmp_path))))
    assert (tmp_path / "out").read_bytes() == WHOLE
    assert done == [(len(PARTS[0]), []), (len(WHOLE), [])]


@pytest.mark.parametrize(
    ("told", "parts"),
    [
        ({}, [PARTS[0], PARTS[1][:-1]]),
        ({}, [PARTS[0], PARTS[1][:-1] + b"X"]),
        ({"parts": 1}, PARTS),
        ({"bytes": len(WHOLE) - 1}, PARTS),
        ({"digest": "0" * 64}, PARTS),
    ],
)
def test_an_export_that_is_not_leaves_no_file(client, service, tmp_path, told, parts):
    """Of another length or of another digest, whichever the service told."""
    service.told, service.parts = told, parts
    with pytest.raises(AlteredError, match="not what was recorded"):
        client.export(tmp_path / "out")
    assert _names(tmp_path) == []


def test_an_export_that_ends_half_way_leaves_no_file(client, service, tmp_path):
    """The service answers no more."""
    service.parts = [PARTS[0], None]
    with pytest.raises(UnavailableError):
        client.export(tmp_path / "out")
    assert _names(tmp_path) == []


def test_a_name_that_is_taken_is_refused_before_anything_is_asked(client, service, tmp_path):
    """An export that nobody can write would be made, and recorded as read."""
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(InputError, match="exists"):
        client.export(tmp_path / "out")
    assert (service.asked, (tmp_path / "out").read_bytes()) == (0, b"mine")


def _names(folder):
    return sorted(path.name for path in folder.iterdir())
