"""Which releases of each framework are known. Hook points move; an adapter on a release nobody tried may hook nothing.

Each range begins at the release that the tests run against and ends before the next minor one.
"""

import re
from dataclasses import dataclass
from importlib import metadata
from typing import Final

from sealgate.model.errors import ConfigurationError

_RELEASE: Final = re.compile(r"(\d+(?:\.\d+)*)(.*)")


@dataclass(frozen=True, slots=True)
class Framework:
    """One framework: its adapter, what it is imported as, and the distribution whose version counts."""

    name: str
    adapter: str
    module: str
    distribution: str
    known_from: str
    known_below: str

    @property
    def known(self) -> str:
        """The range in words."""
        return f"{self.known_from} to below {self.known_below}"


FRAMEWORKS: Final[tuple[Framework, ...]] = (
    Framework("langchain", "langchain", "langchain_core", "langchain", "1.4.7", "1.5"),
    Framework("openai-agents", "openai_agents", "agents", "openai-agents", "0.24.0", "0.25"),
    Framework("claude-agent", "claude_agent", "claude_agent_sdk", "claude-agent-sdk", "0.2.186", "0.3"),
    Framework("pydantic-ai", "pydantic_ai", "pydantic_ai", "pydantic-ai-slim", "2.68.0", "2.69"),
    Framework("google-adk", "google_adk", "google.adk", "google-adk", "2.13.0", "2.14"),
    Framework("crewai", "crewai", "crewai", "crewai", "1.15.30", "1.16"),
    Framework("agent-framework", "agent_framework", "agent_framework", "agent-framework-core", "1.23.0", "1.24"),
    Framework("strands", "strands", "strands", "strands-agents", "1.62.0", "1.63"),
    Framework("fastmcp", "fastmcp", "fastmcp", "fastmcp", "4.1.2", "4.2"),
    Framework("llama-index", "llama_index", "llama_index.core", "llama-index-core", "0.14.25", "0.15"),
    Framework("smolagents", "smolagents", "smolagents", "smolagents", "1.26.0", "1.27"),
)
BY_NAME: Final = {framework.name: framework for framework in FRAMEWORKS}


def installed(framework: Framework) -> str | None:
    """Return the version that is installed here, or None."""
    try:
        return metadata.version(framework.distribution)
    except metadata.PackageNotFoundError:
        return None


def require_known(name: str) -> str:
    """Return the installed version of a framework.

    Raises:
        ConfigurationError: it is not installed, or its version is not one that the adapter knows.
    """
    framework = BY_NAME[name]
    version = installed(framework)
    if version is None:
        raise ConfigurationError(f"`{framework.distribution}` is not installed", hint=f"pip install 'sealgate[{name}]'")
    if not is_known(version, framework):
        raise ConfigurationError(
            f"{framework.distribution} {version} is not known to this adapter, so nothing would be sure to be gated",
            hint=f"known: {framework.known}",
        )
    return version


def is_known(version: str, framework: Framework) -> bool:
    """Tell whether a version lies in the range; a pre-release never does."""
    match = _RELEASE.fullmatch(version)
    if not match or (match[2] and not match[2].startswith((".post", "+"))):
        return False
    return _numbers(framework.known_from) <= _numbers(match[1]) < _numbers(framework.known_below)


def _numbers(release: str) -> tuple[int, ...]:
    parts = [int(part) for part in release.split(".")]
    return tuple(parts + [0] * (6 - len(parts)))
