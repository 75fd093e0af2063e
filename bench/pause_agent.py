"""An agent that does not cooperate: it goes on calling, keeps its database session busy, uses its token, logs in anew.

Each success is a line of JSON on standard output with the time of the system's monotonic clock; so is each refusal.
The token goes to a tool that verifies it and fetches the list of revoked ones every half second.
"""

import json
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet

from bench.credential_world import AUDIENCE, ask, credential, permit
from bench.postgres_server import PostgresServer

POLL_S = 0.5


class Tool:
    """A tool that takes our tokens: verifies them and keeps the list of revoked ones fresh."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._keys: Any = KeySet.import_key_set(ask(socket, "GET", "/.well-known/jwks.json")[1])
        self._revoked: set[str] = set()
        self._fetched = 0.0

    def accepts(self, token: str) -> bool:
        """Tell whether the token counts now."""
        if time.monotonic() - self._fetched > POLL_S:
            listed = ask(self._socket, "GET", "/v1/tokens/revoked")[1]["revoked"]
            self._revoked, self._fetched = {entry["jti"] for entry in listed}, time.monotonic()
        claims = jwt.decode(token, self._keys, algorithms=["EdDSA"]).claims
        return claims["aud"] == AUDIENCE and claims["exp"] > time.time() and claims["jti"] not in self._revoked


def say(what: str, *, worked: bool) -> None:
    """Tell what happened."""
    sys.stdout.write(json.dumps([what, worked, time.monotonic()]) + "\n")
    sys.stdout.flush()


def insist(what: str, act: Callable[[], bool]) -> None:
    """Do it again and again, whatever comes of it."""
    while True:
        try:
            worked = act()
        except Exception:  # noqa: BLE001  # this agent takes no for no answer
            worked = False
        say(what, worked=worked)
        time.sleep(0.01)


def main() -> None:
    """Get both credentials, then go on until killed."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    socket, agent, database = Path(sys.argv[1]), sys.argv[2], PostgresServer(Path(sys.argv[3]))
    decision = permit(socket, agent, 0)["record_id"]
    role = credential(socket, decision, "db")["secret"]
    token = credential(socket, decision, "orders")["secret"]["token"]
    session, tool, count = database.connect(role["user"], role["password"]), Tool(socket), iter(range(1, 1 << 30))

    def login() -> bool:
        database.connect(role["user"], role["password"]).close()
        return True

    acts: dict[str, Callable[[], bool]] = {
        "call": lambda: permit(socket, agent, next(count))["outcome"] == "PERMIT",
        "session": lambda: session.run("SELECT count(*) FROM orders") == [[1]],
        "login": login,
        "token": lambda: tool.accepts(token),
    }
    for what, act in acts.items():
        threading.Thread(target=insist, args=(what, act), daemon=True).start()
    say("ready", worked=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
