"""External authorization for Envoy and other proxies: each request asks the authority, in AuthZEN's terms."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sealgate import ActionNotRun, Client

CLIENT = Client(agent="gateway", server="api")


class Check(BaseHTTPRequestHandler):
    """Answers 200 where the request may pass, 403 where not, with the record's id."""

    def check(self) -> None:
        """Judge method and path as the tool `http_request`; silence and failures are a no."""
        try:
            decision = CLIENT.decide("http_request", {"method": self.command, "path": self.path}, redeem=True)
            status, record = (200 if decision else 403), decision.record_id or ""
        except ActionNotRun:
            status, record = 403, ""
        self.send_response(status)
        self.send_header("x-sealgate-record", record)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = check  # noqa: N815  # names of the base class

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Check)
    print(server.server_port, flush=True)
    server.serve_forever()
