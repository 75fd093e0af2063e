"""What ``sealgate run`` does inside of the program, before the program's first line.

Every framework that is installed gets its adapter and is then tried: a canary, a tool that no policy knows, must be
refused. A framework in a version that is not known, or a canary that ran, ends the process.
"""

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sealgate.integrations import canaries
from sealgate.integrations.core import Gate
from sealgate.integrations.verdicts import Verdict
from sealgate.integrations.versions import FRAMEWORKS, Framework, installed, require_known
from sealgate.model.errors import ConfigurationError

READY: Final = b"ready"
READY_FD: Final = "SEALGATE_RUN_READY"
"""Number of the pipe on which ``sealgate run`` waits for ``READY``."""

ONLY: Final = "SEALGATE_RUN_ONLY"
"""Names of frameworks, separated by commas; without it, all that are installed."""

FOLDER: Final = Path(__file__).with_name("start")
"""What ``sealgate run`` puts in front of the module path."""


def start() -> None:
    """Install, try, tell ``sealgate run``, and give way to a ``sitecustomize`` of somebody else.

    Raises:
        ConfigurationError: a version is not known, or a canary ran.
    """
    gate = Gate()
    names = [framework.name for framework in wanted(os.environ.get(ONLY, ""))]
    for name in names:
        install(name, gate)
    _tell()
    _next_sitecustomize()


def wanted(only: str) -> list[Framework]:
    """Return the frameworks to install: those named, else those that are here.

    Raises:
        ConfigurationError: a name is none of ours.
    """
    named = {name.strip() for name in only.split(",") if name.strip()}
    unknown = named - {framework.name for framework in FRAMEWORKS}
    if unknown:
        raise ConfigurationError(
            f"there is no adapter `{min(unknown)}`", hint=", ".join(framework.name for framework in FRAMEWORKS)
        )
    return [item for item in FRAMEWORKS if (item.name in named if named else installed(item) is not None)]


def install(name: str, gate: Gate) -> None:
    """Install one adapter and try it.

    Raises:
        ConfigurationError: the version is not known, the canary ran, or nobody asked the gate about it.
    """
    version = require_known(name)
    framework = next(item for item in FRAMEWORKS if item.name == name)
    adapter: Any = importlib.import_module(f"sealgate.integrations.{framework.adapter}")
    watch = _Watch()
    adapter.install(watch)
    if canaries.escaped(name) or canaries.TOOL not in watch.asked:
        raise ConfigurationError(f"a canary tool ran through {name} {version}: its calls would not be gated")
    adapter.install(gate)


class _Watch(Gate):
    """Notes what it was asked. A canary that failed for a reason of its own, unasked, has shown nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def check(self, framework: str, tool: str, arguments: Mapping[str, Any], **about: Any) -> Verdict:
        """See ``Gate``."""
        self.asked.add(tool)
        return super().check(framework, tool, arguments, **about)

    async def acheck(self, framework: str, tool: str, arguments: Mapping[str, Any], **about: Any) -> Verdict:
        """See ``Gate``."""
        self.asked.add(tool)
        return await super().acheck(framework, tool, arguments, **about)


def _tell() -> None:
    number = os.environ.pop(READY_FD, "")
    if number.isdigit():
        try:
            os.write(int(number), READY)
            os.close(int(number))
        except OSError as error:
            raise ConfigurationError("`sealgate run` does not listen any more") from error


def _next_sitecustomize() -> None:
    """Run the environment's own ``sitecustomize``, which ours stands in front of."""
    ours = sys.modules.pop("sitecustomize", None)
    kept = list(sys.path)
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != FOLDER]
    try:
        importlib.import_module("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
        if ours is not None:
            sys.modules["sitecustomize"] = ours
    finally:
        sys.path[:] = kept
