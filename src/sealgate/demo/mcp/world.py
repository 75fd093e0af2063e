"""The demo's world: an authority with a maintainer, the gateway before the servers, and the policy that is in force."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sealgate.demo.authority import Authority, program, run
from sealgate.demo.mcp.clients import GatewayClient
from sealgate.demo.mcp.home import Home
from sealgate.demo.mcp.servers import Servers
from sealgate.model.errors import UnavailableError

AGENT: Final = "scribe"
MAINTAINER: Final = "maya"
_POLICY: Final = Path(__file__).with_name("policy")
_PORT_LINE: Final = "listens on port "
_STOP_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class World:
    """Everything the chapters need."""

    authority: Authority
    agent: GatewayClient
    servers: Servers
    maintainer_key: str

    @property
    def home(self) -> Home:
        """The home folder behind the gate."""
        return self.servers.home

    def decision(self, record_id: str) -> dict[str, Any]:
        """Return a decision as its durable record has it."""
        decision: dict[str, Any] = json.loads(self.authority.receipt(record_id)["body"])["decision"]
        return decision

    def as_maintainer(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Make a request as the maintainer, who has an API key of her own.

        Raises:
            UnavailableError: it was refused.
        """
        return _answered(self.authority.exchange(method, path, body, key=self.maintainer_key), path)

    def as_operator(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Make a request as the operator: the user that started the authority. Raises as ``as_maintainer``."""
        return _answered(self.authority.exchange(method, path, body), path)


def _answered(answer: tuple[int, bytes], path: str) -> dict[str, Any]:
    status, body = answer
    if status != 200:
        raise UnavailableError(f"`{path}` was answered with {status}: {body[:300].decode(errors='replace')}")
    said: dict[str, Any] = json.loads(body)
    return said


@contextmanager
def world(place: Path, known: dict[str, list[str]], policy: str | None = None) -> Iterator[World]:
    """Start everything below ``place``; stop it afterwards.

    Args:
        place: an empty folder.
        known: the servers, from ``servers.found``.
        policy: Cedar text to publish instead of the demo's own rules.
    """
    servers = Servers(known, Home(place / "home"), place / "servers")
    authority = Authority(place / "authority")
    run("init", authority.folder, *Authority.INIT_OPTIONS)
    with authority.configuration.open("a", encoding="utf-8") as file:
        file.write(f'\n[[approver]]\nprincipal = "{MAINTAINER}"\nroles = ["maintainer"]\n')
    said = run("keys", "api", "add", MAINTAINER, "--config", authority.configuration)
    with authority, gateway(place, authority, servers) as port:
        agent = GatewayClient(port)
        agent.tools()  # first contact: what the servers offer now is pinned
        _publish(place, authority, servers, policy)
        yield World(authority, agent, servers, said.split()[0])


@contextmanager
def gateway(place: Path, authority: Authority, servers: Servers) -> Iterator[int]:
    """Run ``sealgate mcp serve`` before the servers; yield its port."""
    configuration, log = place / "gateway.toml", place / "gateway.stderr"
    sections = [
        f"[servers.{name}]\ncommand = {json.dumps(command)}\n\n[servers.{name}.env]\n{_pairs(servers.environment())}"
        for name, command in servers.commands().items()
    ]
    settings = {"socket": authority.socket, "pins": place / "pins.json", "agent": AGENT, "listen": "127.0.0.1:0"}
    configuration.write_text("\n".join([_pairs(settings), *sections]), encoding="utf-8")
    with log.open("ab") as file:
        process = subprocess.Popen(
            [program("sealgate"), "mcp", "serve", configuration],
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    try:
        yield _port(process)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _pairs(values: dict[str, Any]) -> str:
    return "".join(f"{key} = {json.dumps(str(value))}\n" for key, value in values.items())


def _port(process: "subprocess.Popen[str]") -> int:
    said = ""
    for line in process.stderr or ():
        said += line
        if _PORT_LINE in line:
            return int(line.rpartition(_PORT_LINE)[2])
    raise UnavailableError(f"the gateway did not start: {said[-400:].strip()}")


def _publish(place: Path, authority: Authority, servers: Servers, policy: str | None) -> None:
    """Publish rules and the servers' own definitions as the policy set in force."""
    rules = place / "policy" / "policies"
    rules.mkdir(parents=True)
    if policy is not None:
        (rules / "given.cedar").write_text(policy, encoding="utf-8")
    for name in servers.known if policy is None else ():
        text = (_POLICY / f"{name}.cedar").read_text("utf-8").replace("PROJECT", _pattern(servers.home.project))
        (rules / f"{name}.cedar").write_text(text, encoding="utf-8")
    run("mcp", "definitions", place / "policy", "--pins", place / "pins.json")
    authority.publish(place / "policy")


def _pattern(path: Path) -> str:
    """Return a path as Cedar writes it in a text; a star in it is a star."""
    return json.dumps(str(path), ensure_ascii=False)[1:-1].replace("*", "\\*")
