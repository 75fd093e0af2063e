"""Claude's ``http`` hook: the same judge on a loopback port, so that a call starts no process at all.

Whoever reads the address in the settings file may ask; what is answered is a decision, not a secret. The other
direction is weaker than the Unix socket: while the daemon is down, another program of this machine could take the port.
"""

import http.server
import json
import os
import secrets
import threading
from pathlib import Path
from typing import Final

from sealgate.hooks import frames, outputs
from sealgate.hooks.judge import Judge

_REFUSED: Final = 403
_PHASES: Final = ("before", "after")


def secret(folder: Path) -> str:
    """Return the secret part of the address; make it the first time."""
    path = folder / "http.secret"
    if not path.is_file():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(24))
    return path.read_text("ascii").strip()


def serve(judge: Judge, port: int, folder: Path) -> None:
    """Serve in threads of their own for as long as the process lives."""
    prefix = f"/sealgate-hook/{secret(folder)}/"

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the name is the library's
            length = self.headers.get("Content-Length", "")
            named, _, phase = self.path.removeprefix(prefix).partition("/")
            known = self.path.startswith(prefix) and named == "claude"
            if not known or not length.isdigit() or int(length) > frames.MAX_INPUT_BYTES:
                self._answer(_REFUSED, outputs.refusal("claude", "sealgate: the question is unreadable").stdout)
                return
            output = judge.answer(named, phase, self.rfile.read(int(length)))
            self._answer(200, output.stdout or json.dumps({}).encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            del format, args

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def addresses(port: int, folder: Path) -> dict[str, str]:
    """Return phase → address for the settings file."""
    return {phase: f"http://127.0.0.1:{port}/sealgate-hook/{secret(folder)}/claude/{phase}" for phase in _PHASES}
