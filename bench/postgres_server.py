"""A real PostgreSQL server of its own in a temporary folder: for tests and for ``bench pause``."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pg8000.native

PORT = 5432
ADMIN = "broker"
PASSWORD = "administrator"  # noqa: S105  # of a server that lives for one test, on a private socket


def binaries() -> Path | None:
    """Return the folder of the newest server's programs, or None where none is installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: float(path.split("/")[4]))  # noqa: PTH207
    return Path(found[-1]).parent if found else None


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server, reached by the socket in ``folder``. ``ADMIN`` may make roles and is no superuser."""

    folder: Path

    def connect(self, user: str, password: str, **more: Any) -> Any:
        """Return an open connection."""
        return pg8000.native.Connection(
            user, database="shop", password=password, unix_sock=f"{self.folder}/.s.PGSQL.{PORT}", timeout=10, **more
        )

    def roles(self) -> set[str]:
        """Return the roles that somebody made for a credential."""
        connection = self.connect("postgres", PASSWORD)
        rows = connection.run("SELECT rolname FROM pg_roles WHERE rolname ~ '^sealgate_[0-9a-f]'")
        connection.close()
        return {str(row[0]) for row in rows}


@contextmanager
def server() -> Iterator[PostgresServer]:
    """Run a server with a database ``shop`` and a table ``orders`` until the block ends.

    Raises:
        FileNotFoundError: PostgreSQL is not installed (``scripts/servers``).
    """
    programs = binaries()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="sgpg", dir="/tmp"))  # a socket's path must be short
    user: dict[str, Any] = {}
    if os.getuid() == 0:  # the server refuses to run as root
        entry = pwd.getpwnam("postgres")
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    (folder / "pw").write_text(PASSWORD)
    (folder / "pw").chmod(0o644)
    data = folder / "data"
    make = ["initdb", "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={folder}/pw", "-N"]
    subprocess.run([programs / make[0], *make[1:]], check=True, capture_output=True, cwd=folder, **user)
    settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    settings += ["-c", "log_statement=all"]
    with (folder / "log").open("wb") as log:
        command = [str(programs / "postgres"), "-D", str(data), *settings]
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **user)
    try:
        running = PostgresServer(folder)
        _prepare(running, process)
        yield running
    finally:
        process.send_signal(signal.SIGINT)  # at once; SIGTERM would wait for open sessions
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(running: PostgresServer, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            first = pg8000.native.Connection(
                "postgres", password=PASSWORD, unix_sock=f"{running.folder}/.s.PGSQL.{PORT}", timeout=10
            )
            break
        except (pg8000.exceptions.InterfaceError, pg8000.exceptions.DatabaseError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    first.run("CREATE DATABASE shop")
    first.run(f"CREATE ROLE {ADMIN} LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
    first.close()
    shop = running.connect("postgres", PASSWORD)
    shop.run("CREATE TABLE orders (id bigint PRIMARY KEY, note text)")
    shop.run("INSERT INTO orders VALUES (1, 'first')")
    shop.run("CREATE TABLE payroll (id bigint)")
    shop.run(f"GRANT SELECT ON orders TO {ADMIN} WITH GRANT OPTION")
    shop.close()
