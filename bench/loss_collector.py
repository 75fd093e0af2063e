"""``python -m bench.loss_collector SOCKET STORE``: a collector for tests: real HTTP, durable storage.

It stores a batch in one synced SQLite transaction before it answers, answers a batch id that it knows with its first
answer, and refuses items that are none. Items are stored once for each batch that brought them, so that a count shows
every item that came twice. ``STORE.mode`` may hold ``busy`` (503), ``forget`` (stores and closes without an answer) or
``reject`` (refuses every item of kind ``error``).
"""

import http.server
import json
import pathlib
import socketserver
import sqlite3
import sys
import threading
from typing import Any

from sealgate.encoding import canonical
from sealgate.model import items
from sealgate.model.errors import SealgateError

_SCHEMA = """
PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS batches (id TEXT PRIMARY KEY, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS items (item_id TEXT NOT NULL, batch_id TEXT NOT NULL, text TEXT NOT NULL);
"""


class Store:
    """What was taken, durable before it is answered."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.executescript(_SCHEMA)

    def take(self, body: bytes, mode: str) -> dict[str, Any]:
        """Store a batch and return the answer."""
        batch: Any = canonical.parse(body, max_bytes=2 * 1024 * 1024)
        with self._lock:
            known = self._database.execute("SELECT answer FROM batches WHERE id = ?", (batch["batch_id"],)).fetchone()
            if known is not None:
                found: dict[str, Any] = json.loads(known[0])
                return found
            rejected, rows = [], []
            for position, item in enumerate(batch["items"]):
                reason = _reason(item, mode)
                if reason:
                    entry = {"position": position, "item_id": str(item.get("item_id")), "code": "invalid"}
                    rejected.append({**entry, "reason": reason})
                else:
                    text = canonical.encode_arguments(item).decode()
                    rows.append((item["item_id"], batch["batch_id"], text))
            answer = {"batch_id": batch["batch_id"], "accepted": len(rows), "rejected": rejected, "receipts": []}
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)
            self._database.execute("INSERT INTO batches VALUES (?, ?)", (batch["batch_id"], json.dumps(answer)))
            self._database.execute("COMMIT")
            return answer

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def _reason(item: Any, mode: str) -> str:
    try:
        items.read(item)
    except (SealgateError, TypeError) as error:
        return str(error)
    return "refused by the test" if mode == "reject" and item["kind"] == "error" else ""


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128
    store: Store
    mode: str = ""

    def current_mode(self) -> str:
        """Return what the file beside the store says, else the attribute."""
        file = self.store.path.with_suffix(".mode")
        return file.read_text().strip() if file.exists() else self.mode


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        mode = self.server.current_mode()
        if mode == "busy":
            self._answer(503, {"title": "busy"}, retry_after="0")
            return
        answer = self.server.store.take(body, mode)
        if mode == "forget":
            self.close_connection = True
            return
        self._answer(200, answer)

    def _answer(self, status: int, members: dict[str, Any], retry_after: str = "") -> None:
        data = json.dumps(members).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if retry_after:
            self.send_header("retry-after", retry_after)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""

    def address_string(self) -> str:
        return "unix"


class Collector:
    """A collector in a thread of this process."""

    def __init__(self, path: pathlib.Path, store: pathlib.Path) -> None:
        path.unlink(missing_ok=True)
        self.server = _Server(str(path), _Handler)
        self.server.store = self.store = Store(store)
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def items(self) -> list[dict[str, Any]]:
        """Return what was taken, in order."""
        return [json.loads(text) for _, text in stored(self.store.path)]

    def stop(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()
        self.store.close()


def stored(path: pathlib.Path) -> list[tuple[str, str]]:
    """Return (item id, text) of every item of every batch in a store."""
    database = sqlite3.connect(path)
    try:
        return database.execute("SELECT item_id, text FROM items ORDER BY rowid").fetchall()
    finally:
        database.close()


def main() -> None:
    """Serve until killed."""
    path = pathlib.Path(sys.argv[1])
    path.unlink(missing_ok=True)
    server = _Server(str(path), _Handler)
    server.store = Store(pathlib.Path(sys.argv[2]))
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
