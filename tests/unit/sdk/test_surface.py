"""The public surface: which names exist, what they cost to import, what type checkers see."""

import subprocess
import sys
import textwrap

import pytest

import sealgate
from sealgate import sdk

BLOCKED = ["msgspec", "cryptography", "nacl", "cedarpy", "uvicorn", "uvloop", "click", "rich", "prometheus_client"]


def test_the_public_names_are_these():
    """Adding or removing a public name is a decision, so it changes this test."""
    assert sealgate.__all__ == [
        "ActionNotRun",
        "AsyncClient",
        "AuthorityUnreachable",
        "Client",
        "Decision",
        "Denied",
        "EventHandler",
        "Sealgate",
        "Silence",
        "__version__",
        "carry",
        "configure",
        "context_retrieved",
        "continued",
        "current_traceparent",
        "declare_coverage",
        "fallback",
        "guard",
        "inject",
        "inject_environment",
        "input_received",
        "log_event",
        "model_call",
        "record_error",
        "session",
        "step",
        "task",
        "tool_call",
    ]
    for name in sealgate.__all__:
        assert getattr(sealgate, name) is not None
    for name in sdk.__all__:
        assert getattr(sdk, name) is not None
    with pytest.raises(AttributeError):
        sealgate.nothing  # noqa: B018  # the access is the test


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)


def test_the_client_imports_with_every_server_dependency_blocked():
    """`import sealgate.sdk` and the whole public surface work where only the thin client is installed."""
    done = _run(f"""
        import sys
        class Block:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {BLOCKED!r}:
                    raise ImportError("blocked: " + name)
        sys.meta_path.insert(0, Block())
        import sealgate.sdk, sealgate.sdk.tls
        [getattr(sealgate, name) for name in sealgate.__all__]
        try:
            import msgspec
        except ImportError:
            print("done")
    """)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_importing_sealgate_imports_nothing_and_the_local_client_no_httpx():
    """The bare package costs nothing; a client over the socket does not pay for HTTPS."""
    done = _run("""
        import sys, sealgate
        print("sealgate.sdk" in sys.modules)
        sealgate.guard
        print("sealgate.sdk" in sys.modules, "httpx" in sys.modules, "asyncio" in sys.modules)
    """)
    assert done.stdout == "False\nTrue False True\n"


TYPED = """
from collections.abc import Callable, Coroutine
from typing import Any, assert_type
import sealgate

@sealgate.guard
def plain(to: str, amount: int = 1) -> str: ...

@sealgate.guard(tool="t", redeem="before_body")
async def waiting(to: str, *, urgent: bool) -> int: ...

class Bank:
    @sealgate.guard
    def pay(self, amount: int) -> bool: ...

def use(client: sealgate.Client) -> None:
    assert_type(plain("bob", amount=2), str)
    coming = waiting("bob", urgent=True)
    checked = assert_type(coming, Coroutine[Any, Any, int])
    assert_type(Bank().pay(3), bool)
    client.guard(use)(client)
"""


def test_decorators_keep_the_signature(tmp_path):
    """A type checker sees the function's own parameters and result; wrong calls are errors."""
    (tmp_path / "right.py").write_text(TYPED.replace(": ...\n", ": raise NotImplementedError\n"))
    wrong = "import sealgate\n\n@sealgate.guard\ndef f(a: int) -> int:\n    return a\n\nf('x')\nf(1, 2)\nf(1).upper()\n"
    (tmp_path / "wrong.py").write_text(wrong)
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--no-incremental",
            str(tmp_path / "right.py"),
            str(tmp_path / "wrong.py"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    lines = [line for line in checked.stdout.splitlines() if ": error:" in line]
    assert [line.partition("wrong.py:")[2].partition(":")[0] for line in lines] == ["7", "8", "9"], checked.stdout
