"""Known people through the whole path: collector, vault, journal, evidence store, exports; then every byte is searched.

tau's customers are registered with the vault (e-mail, street, name, birth dates of passengers too). Every message of
its 200 airline runs goes to the collector as a captured item whose raw values the field policy keeps. Then records are
exported in every format, everything is stopped, and the data directory and the exports are searched for each known
e-mail, birth date and street line. The log must still verify.
"""

import contextlib
import json
import os
import subprocess
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from pyarrow import parquet

from bench import redact
from bench.wire import Wire
from sealgate.demo.authority import Authority, program
from sealgate.demo.authority import run as run_command
from sealgate.model.identifiers import uuid7

_AGENT: Final = "airline"
_BATCH: Final = 128
_FORMATS: Final = ("jsonl", "csv", "parquet", "bundle")


def measure(place: Path, data: Path, messages: int | None = None) -> tuple[dict[str, Any], list[str]]:
    """Return figures, and what is wrong; ``messages`` bounds how many are sent (None: all)."""
    folder = place / "authority"
    items = [_item(message) for message in redact.tau_messages(data)[:messages]]
    gone = redact.people(data)[1]
    before = redact.count([json.dumps(item, ensure_ascii=False).encode() for item in items], gone)
    with _installation(folder) as authority:
        persons = _register(folder / "vault" / "vault.sock", data)
        accepted = _send(folder / "collector.sock", items)
        _await_rows(authority, accepted)
        exports = [_export(authority, place, name) for name in _FORMATS]
    written = [path for path in folder.rglob("*") if path.is_file() and not path.is_socket()]
    left = redact.count([_lower(content) for path in [*written, *exports] for content in _contents(path)], gone)
    verdict = _verify(place, folder)
    figures = {
        "disk_items": accepted,
        "disk_persons": persons,
        "disk_files": len(written) + len(exports),
        "disk_bytes": sum(path.stat().st_size for path in [*written, *exports]),
        "disk_known_values_before": before,
        "disk_known_values_left": left,
        "disk_log_verdict": verdict,
    }
    missed = [] if accepted == len(items) else [f"{accepted} of {len(items)} items were taken"]
    missed += [f"{left} of {before} known values are on disk or in an export"] if left or not before else []
    missed += [] if verdict == 0 else [f"the exported log does not verify: {verdict}"]
    return figures, missed


@contextlib.contextmanager
def _installation(folder: Path) -> Iterator[Authority]:
    """Run everything that one command starts, with a field policy that keeps contents."""
    run_command("init", folder, *Authority.INIT_OPTIONS)
    policy = folder / "privacy.toml"
    policy.write_text('version = 1\n[defaults]\ncontent = "keep"\n', "ascii")
    wanted = {"PRIVACY_POLICY": str(policy)} | dict.fromkeys(
        ("VAULT_ENABLED", "COLLECTOR_ENABLED", "ACCESS_ENABLED"), "yes"
    )
    kept = dict(os.environ)
    os.environ.update({f"SEALGATE_{name}": value for name, value in wanted.items()})
    try:
        with Authority(folder) as authority:
            for socket in ("collector.sock", "vault/vault.sock", "evidence/evidence.sock"):
                _until(lambda name=socket: (folder / name).is_socket())  # type: ignore[misc]  # bound now
            yield authority
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the installation does not come as far as it should")
        time.sleep(0.2)


def _register(socket: Path, data: Path) -> int:
    wire = Wire(str(socket))
    persons: dict[str, list[dict[str, Any]]] = {}
    for known in redact.customers(data):
        value = {"type": known.type, "value": known.value, "subject": None}
        persons.setdefault(known.subject or "", []).append(value)
    for values in persons.values():
        status, answer = wire.post("/v1/subjects", {"values": values})
        if status != 200:
            raise RuntimeError(f"a person was not registered: {answer}")
    wire.close()
    return len(persons)


def _item(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as a whole item."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    more = {"item_id": uuid7(int(now * 1000), os.urandom(10)), "time": stamp, "coverage": "captured", "source": "sdk"}
    return redact.as_item(message, 0) | more | {"agent": _AGENT}


def _send(socket: Path, items: list[dict[str, Any]]) -> int:
    wire, accepted = Wire(str(socket)), 0
    for start in range(0, len(items), _BATCH):
        batch = {"batch_id": str(uuid.uuid4()), "items": items[start : start + _BATCH]}
        status, answer = wire.post("/v1/records/batch", batch)
        while status in (429, 503):
            time.sleep(0.5)
            status, answer = wire.post("/v1/records/batch", batch)
        if status != 200 or answer["rejected"]:
            raise RuntimeError(f"items were refused: {str(answer)[:400]}")
        accepted += answer["accepted"]
    wire.close()
    return accepted


def _await_rows(authority: Authority, count: int) -> None:
    def there() -> bool:
        answer = _sealgate(authority, "aggregate", "--agent", _AGENT, "--by", "agent", "--reason", "bench", "--json")
        rows = json.loads(answer)["table"]["rows"]
        return bool(rows) and int(rows[0][-1]) >= count

    _until(there)


def _export(authority: Authority, place: Path, form: str) -> Path:
    path = place / f"export.{form}"
    _sealgate(authority, "export", str(path), "--agent", _AGENT, "--format", form, "--reason", "bench")
    return path


def _sealgate(authority: Authority, *arguments: str) -> str:
    command = [str(program("sealgate")), *arguments, "--config", str(authority.configuration)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def _contents(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, and what it says where it is packed."""
    yield path.read_bytes()
    if path.suffix == ".bundle":
        with zipfile.ZipFile(path) as bundle:
            for name in bundle.namelist():
                yield bundle.read(name)
    if path.name == "export.parquet":
        yield "\n".join(map(str, parquet.read_table(path).to_pylist())).encode()


def _lower(content: bytes) -> bytes:
    return content.decode("utf-8", "replace").lower().encode()


def _verify(place: Path, folder: Path) -> int:
    """Return how the separate verifier ends on the exported bundle, called as the bundle's own page says."""
    with zipfile.ZipFile(place / "export.bundle") as bundle:
        bundle.extractall(place / "bundle")
    page = (place / "bundle" / "README.txt").read_text("utf-8")
    line = next(line.split() for line in page.splitlines() if line.strip().startswith("sealgate-verify log"))
    arguments = [str(folder / "trust.json") if word == "TRUST.json" else word for word in line[1:]]
    command = [str(program("sealgate-verify")), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, timeout=300, cwd=place / "bundle")
    return done.returncode
