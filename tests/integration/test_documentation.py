"""Every command on every page runs, every link leads somewhere, and nothing that a user can meet is undocumented.

The commands of the pages are run here, in order, in one world: a home folder of its own, an authority that README's
own commands made and started. Pages with a test of their own, and commands that cannot run here, are listed with the
reason. Where a page shows what a command prints, that must come out, identifiers and numbers aside.
"""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest

from sealgate import cli
from sealgate.adapters.configuration import retention_reference
from sealgate.cli import reference as cli_reference
from sealgate.demo.authority import Authority
from sealgate.hooks import rows as hook_rows
from sealgate.model import reference as records_reference
from sealgate.model.lifecycle import TRANSITIONS
from sealgate.server import problems

pytestmark = pytest.mark.timeout(400)  # many processes are started, on a machine that may be busy

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "SECURITY.md")] + sorted(DOCS.rglob("*.md"))

TESTED_ELSEWHERE = {
    "docs/tutorial/first-decision.md": "tests/integration/demo/test_tutorial.py",
    "docs/how-to/erase-a-person.md": "tests/integration/test_vault_service.py",
    "docs/how-to/verify-a-receipt.md": "tests/integration/test_verifier_docs.py",
    "docs/how-to/witness-a-log.md": "tests/integration/test_witness_docs.py",
}
"""Pages whose commands a test of their own runs."""

NOT_RUN = {
    "make demo": "tests/integration/demo/test_mcp.py runs it whole, test_agentdojo.py on one suite",
    "servers=$(scripts/mcp-env)": "starts real MCP servers; tests/integration/demo/test_mcp.py runs it like this",
    "make test": "this is it",
    "sealgate run -- python app.py": "there is no such program here; tests/adapters/core/test_run.py runs some",
    "export SEALGATE_SOCKET=/run/sealgate": "serves until it is stopped; tests/adapters/core/test_ext_authz.py asks it",
    "make setup": "without it nothing of this runs",
    "install -m": "needs root and another user; tests/contract/server/test_tls.py serves from such files",
    "curl -H": "needs a certificate that the system trusts; tests/contract/server/test_tls.py makes this call",
    "systemctl reload": "needs systemd; tests/contract/server/test_tls.py sends the SIGHUP",
    "softhsm2-util": "needs a token folder of the system; tests/contract/test_signer.py has one of its own",
    "sealgate mcp": "needs a client's files and MCP servers; tests/contract/gateway and tests/unit/gateway run these",
    "options=": "the options of the token that is not made here",
    "sealgate keys rotate --purpose wrapping": "needs everything stopped, as in tests/integration/test_key_rotation.py",
    "sealgate keys generate-on-device $options": "as above; tests/contract/test_signer.py makes keys on a token",
    "sealgate init /var/lib/sealgate $options": "as above",
}
"""Beginnings of commands that cannot run here, and why."""

ELSEWHERE = {"/media/": "sealgate/keys/"}
"""What a page's path means in this world."""


@dataclass
class Example:
    """One command of a page, and the lines that the page shows below it."""

    page: str
    command: str
    output: list[str] = field(default_factory=list)


def examples(page: Path) -> list[Example]:
    """Return the commands of a page: lines after `$ ` in console blocks, whole blocks of bash and sh."""
    name = str(page.relative_to(ROOT))
    found: list[Example] = []
    for kind, text in re.findall(
        r"^```(console|bash|sh)\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    ):
        if kind != "console":
            found.append(Example(name, text))
            continue
        for line in text.splitlines():
            if line.startswith("$ "):
                found.append(Example(name, line[2:].partition("  #")[0].strip()))
            else:
                found[-1].output.append(line)
    return found


EXAMPLES = [example for page in PAGES for example in examples(page) if example.page not in TESTED_ELSEWHERE]


class World:
    """A home folder in which the commands of all pages are run one after another."""

    def __init__(self, home: Path) -> None:
        self.home = home
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        patience = {"SEALGATE_DECISIONS_DEADLINE_MS", "SEALGATE_TIMEOUT_S"}  # see tests/conftest.py
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("SEALGATE_") or name in patience
        }
        self.environment = {**kept, "HOME": str(home), "PATH": path, "COLUMNS": "200", "KEY": "sg_x"}
        self.names: dict[str, str] = {}
        self.served: subprocess.Popen[bytes] | None = None

    def run(self, example: Example) -> str:
        """Run one command; it must succeed and print what its page shows."""
        command = self._here(example.command)
        if command.endswith(" &"):
            self._serve(command.removesuffix(" &"))
            return ""
        done = subprocess.run(
            ["bash", "-euc", command], cwd=self.home, env=self.environment, capture_output=True, text=True,
            timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{example.page}: {command}\n{done.stdout}{done.stderr}"
        self._compare(example, done.stdout)
        return done.stdout + done.stderr

    def _here(self, text: str) -> str:
        for there, here in ELSEWHERE.items():
            text = text.replace(there, f"{self.home}/{here}")
        for shown, real in self.names.items():
            text = text.replace(shown, real)
        return text

    def _serve(self, command: str) -> None:
        with (self.home / "serve.log").open("wb") as log:
            self.served = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], cwd=self.home, env=self.environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        sockets = [self.home / "sealgate" / name for name in ("sealgate.sock", "evidence/evidence.sock")]
        while not all(path.is_socket() for path in sockets):
            assert self.served.poll() is None, (self.home / "serve.log").read_text("utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _compare(self, example: Example, printed: str) -> None:
        """Look for the shown lines in order; remember which real identifier stands for a shown one."""
        lines = iter(printed.splitlines())
        for shown in example.output:
            pattern, names = _pattern(shown)
            match = next(filter(None, (re.fullmatch(pattern, line) for line in lines)), None)
            assert match, f"{example.page}: `{example.command}` did not print `{shown}` but\n{printed}"
            self.names |= dict(zip(names, match.groups(), strict=True))

    def stop(self) -> None:
        """Stop the authority; it must end well."""
        if self.served is not None:
            self.served.send_signal(signal.SIGTERM)
            assert self.served.wait(60) == 0


def _pattern(shown: str) -> tuple[str, list[str]]:
    """Return a pattern for a shown line: long hex is captured, `…` is anything, a number any number."""
    names: list[str] = []
    pattern = ""
    for piece in re.findall(r"[0-9a-f]*…|[0-9a-f]{16,}|\d+|.", shown):
        if piece.endswith("…"):
            pattern += ".*"
        elif len(piece) >= 16:
            names.append(piece)
            pattern += f"([0-9a-f]{{{len(piece)}}})"
        elif piece.isdigit():
            pattern += r"\d+"
        else:
            pattern += re.escape(piece)
    return pattern, names


TOOLS = """{"tools": [
 {"name": "send_money", "inputSchema": {"type": "object", "required": ["recipient", "amount"], "properties": {
  "recipient": {"type": "string"}, "amount": {"type": "number"}, "subject": {"type": "string"},
  "date": {"type": "string"}}}},
 {"name": "read_file", "inputSchema": {"type": "object", "required": ["path"], "properties": {
  "path": {"type": "string"}}}},
 {"name": "wire", "inputSchema": {"type": "object", "required": ["subject"], "properties": {
  "subject": {"type": "string"}}}},
 {"name": "edit_files", "inputSchema": {"type": "object", "required": ["options", "paths"], "properties": {
  "options": {"type": "object", "required": ["root"], "properties": {"root": {"type": "string"}}},
  "paths": {"type": "array", "items": {"type": "string"}}}}}]}"""


def _policies_of_the_page(folder: Path) -> None:
    """Write the policy directory of the how-to from the blocks of the page itself."""
    text = (DOCS / "how-to" / "write-a-policy.md").read_text("utf-8")
    blocks = re.findall(r"^```(json|cedar|toml)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    entities, tests = (body for kind, body in blocks if kind == "json")
    cedar = "\n".join(body for kind, body in blocks if kind == "cedar")
    (limits,) = (body for kind, body in blocks if kind == "toml")
    files = {
        "policies/agents.cedar": cedar,
        "tools/bank.json": TOOLS,
        "entities.json": entities,
        "limits.toml": limits,
        "tests/agents.json": tests,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, "utf-8")


@pytest.fixture(scope="module", name="world")
def _world(tmp_path_factory):
    """The world after README's own commands."""
    world = World(tmp_path_factory.mktemp("home"))
    _policies_of_the_page(world.home / "my-policies")
    for example in EXAMPLES:
        if example.page == "README.md" and not _excuse(example):
            world.run(example)
    yield world
    world.stop()


def _excuse(example: Example) -> str | None:
    return next((why for beginning, why in NOT_RUN.items() if example.command.startswith(beginning)), None)


@pytest.mark.parametrize("page", sorted({example.page for example in EXAMPLES if example.page != "README.md"}))
def test_the_commands_of_a_page_run(world, page):
    """In the order of the page, each with exit status 0 and the output that is shown."""
    for example in EXAMPLES:
        if example.page == page and not _excuse(example):
            world.run(example)


def test_the_readme_leads_to_a_running_authority(world):
    """README's commands made, started and filled an authority that a client finds without being told where."""
    script = (
        "from sealgate import Client; print(Client(agent='invoice-bot').decide('wire', {'subject': 'rent'}).reason)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=world.environment, cwd="/", capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "approval_required"


def test_the_example_of_the_readme_is_python_that_works(world):
    """The guarded function on the first page runs or is refused by the authority; here nothing permits it."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    script = (
        f"{block}\nimport sealgate\ntry:\n    send_money('GB29', 1)\nexcept sealgate.Silence as no:\n    print(no)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={**world.environment, "SEALGATE_AGENT": "stranger"}, cwd="/",
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "SILENCE for `send_money`" in done.stdout, done.stderr


def test_what_is_not_run_is_still_on_a_page():
    """The lists of exceptions hold nothing that is gone, and pages with their own test are named there."""
    commands = [example.command for page in PAGES for example in examples(page)]
    idle = [beginning for beginning in NOT_RUN if not any(command.startswith(beginning) for command in commands)]

    assert idle == []
    for page, test in TESTED_ELSEWHERE.items():
        assert Path(page).name in (ROOT / test).read_text("utf-8")
    assert len(EXAMPLES) > 15


# -- links ----------------------------------------------------------------------------------------------------------


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link resolves, its anchor too."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if urllib.parse.urlsplit(link).scheme:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            broken.append(link)

    assert broken == []


def test_every_page_is_on_the_map():
    """`docs/README.md` links every page, `docs/adr/README.md` every decision under its own title."""
    linked = set(re.findall(r"\]\(([^)#\s]+)\)", (DOCS / "README.md").read_text("utf-8")))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if page.parent.name != "adr"} - {"README.md"}
    index = (DOCS / "adr" / "README.md").read_text("utf-8")
    decisions = [path for path in sorted((DOCS / "adr").glob("*.md")) if path.name != "README.md"]

    assert pages - linked == set()
    assert [path.name for path in decisions if f"[{_title(path)}]({path.name})" not in index] == []
    assert len(decisions) > 20


def _title(path: Path) -> str:
    heading = path.read_text("utf-8").splitlines()[0]
    match = re.fullmatch(r"# (\d{4})\. (.+)", heading)
    assert match, f"{path.name}: `{heading}`"
    assert path.name.startswith(match[1]), path.name
    return match[2]


def test_every_decision_has_the_same_parts():
    """Context, options, decision, consequences; and the consequences say what it costs."""
    for path in sorted((DOCS / "adr").glob("0*.md")):
        text = path.read_text("utf-8")
        parts = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert parts == ["Context", "Options", "Decision", "Consequences"], (path.name, parts)
        assert "Status: accepted" in text, path.name
        assert "- Negative: " in text.partition("## Consequences")[2], path.name


# -- completeness ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("cli", cli_reference.page()),
        ("records", records_reference.page()),
        ("retention-classes", retention_reference.page()),
        ("hooks", hook_rows.page()),
    ],
)
def test_generated_pages_are_up_to_date(name, made):
    """The committed page is what its generator writes."""
    assert (DOCS / "reference" / f"{name}.md").read_text("utf-8") == made


def test_every_command_is_documented():
    """All commands of the table are there, with a text; every option has one too."""
    found = dict(cli_reference.commands())

    assert {name.split()[1] for name in found} == set(cli.COMMANDS)
    assert len(found) > 25
    assert [name for name, command in found.items() if not command.help] == []
    silent = [
        (name, option.name)
        for name, command in found.items()
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert silent == []


def test_commands_in_running_text_exist():
    """A command in backticks anywhere on a page is one, and its options are its options."""
    known = dict(cli_reference.commands())
    wrong = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for line in re.findall(r"`(sealgate [a-z][^`\n]*)`", text):
            words = line.split(" -- ")[0].split()  # what stands behind belongs to another program
            name = next((" ".join(words[:n]) for n in range(len(words), 1, -1) if " ".join(words[:n]) in known), None)
            options = {word.split("=")[0] for word in words if word.startswith("--")} - {"--help"}
            if name is None or options - {flag for item in known[name].params for flag in item.opts}:
                wrong.append((page.name, line))

    assert wrong == []


def test_every_code_of_a_refusal_has_its_problem():
    """Each `code=` that the source raises, and each of the lifecycle, is a kind of problem of its own."""
    sources = [path.read_text("utf-8") for path in (ROOT / "src" / "sealgate").rglob("*.py") if "sdk" not in path.parts]
    codes = {code for text in sources for code in re.findall(r'code="([a-z-]+)"', text)}
    lifecycle = (ROOT / "src" / "sealgate" / "model" / "lifecycle.py").read_text("utf-8")
    codes |= set(re.findall(r'\(\s*"([a-z-]+)",', lifecycle))

    assert codes >= {"permit-unknown", "permit-not-redeemed", "lifecycle"}
    assert codes - set(problems.KIND_OF_CODE) - {"not-permitted"} == set()


def test_the_life_of_a_decision_is_the_table():
    """The lines of the explanation are the transitions, no more and no fewer."""
    text = (DOCS / "explanation" / "life-of-a-decision.md").read_text("utf-8")
    lines = re.findall(r"^(\w+) +--(\w+)-*> (\w+)", text, re.MULTILINE)

    assert {(state, event, following) for state, event, following in lines} == {
        (str(state), str(event), str(following)) for (state, event), following in TRANSITIONS.items()
    }


def test_every_metric_of_the_authority_is_documented(world):
    """What `/metrics` shows is on the page of the API, and what that page names exists, from the start on."""
    authority = Authority(world.home / "sealgate")
    shown = set(re.findall(r"^# TYPE (\S+)", authority.get("/metrics")[1].decode(), re.MULTILINE))
    page = (DOCS / "reference" / "api.md").read_text("utf-8")
    named = set(re.findall(r"`(sealgate_[a-z_]+)", page))

    assert {name for name in shown if f"`{name}" not in page} == set()
    assert named - shown == set()
    assert (authority.metric("sealgate_journal_syncs_total") or 0) >= 1


def test_every_file_of_a_data_directory_is_documented(world):
    """The page of the storage layout names all that lies in a data directory."""
    page = (DOCS / "reference" / "storage-layout.md").read_text("utf-8")
    passing = ("-wal", "-shm", ".new")  # the last is a file that is just being replaced
    names = {path.name for path in (world.home / "sealgate").iterdir() if not path.name.endswith(passing)}

    assert {name for name in names if f"`{name}" not in page} == set()
    assert len(names) > 8
