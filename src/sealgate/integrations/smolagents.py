"""smolagents: around ``Tool.__call__``, which tool-calling agents, code agents and managed agents all use.

There is no hook. A code agent's own Python is no tool call: what it can reach without a tool is what its executor lets
it import, so agents with further imports, or with an executor somewhere else, are refused.
"""

from functools import wraps
from typing import Any, Final

from smolagents import CodeAgent, Tool
from smolagents.default_tools import FinalAnswerTool
from smolagents.tools import PipelineTool

from sealgate.integrations.core import Call, Gate
from sealgate.integrations.versions import require_known
from sealgate.sdk.errors import NotCoverable

NAME: Final = "smolagents"
_installed: Final[dict[str, Any]] = {}


def install(gate: Gate) -> None:
    """Gate every tool of this process. Once is enough; another gate replaces the first.

    Raises:
        ConfigurationError: this release is not known.
    """
    require_known(NAME)
    _installed["gate"] = gate
    if "tools" in _installed:
        return
    _installed["tools"] = True
    for owner in (Tool, PipelineTool):
        _patch(owner)
    _patch_code_agent()


def _patch(owner: Any) -> None:
    body = owner.__call__

    @wraps(body)
    def gated(self: Any, *args: Any, sanitize_inputs_outputs: bool = False, **kwargs: Any) -> Any:
        if type(self) is FinalAnswerTool:  # gives back what it is given, which is how a run ends
            return body(self, *args, sanitize_inputs_outputs=sanitize_inputs_outputs, **kwargs)
        gate: Gate = _installed["gate"]

        def run(final: dict[str, Any]) -> Any:
            return body(self, sanitize_inputs_outputs=sanitize_inputs_outputs, **final)

        return gate.call(Call(NAME, self.name, _arguments(self, args, kwargs)), run, lambda verdict: verdict.reason)

    owner.__call__ = gated


def _arguments(tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    if len(args) == 1 and not kwargs and isinstance(args[0], dict) and set(args[0]) <= set(tool.inputs):
        return dict(args[0])  # as the body takes a single dictionary
    return {**dict(zip(tool.inputs, args, strict=False)), **kwargs}


def _patch_code_agent() -> None:
    original = CodeAgent.__init__

    @wraps(original)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if self.additional_authorized_imports or self.executor_type != "local":
            raise NotCoverable(
                "this code agent can act without a tool: it may import more, or runs somewhere else",
                hint="use the local executor without additional imports, or give it tools instead",
            )

    CodeAgent.__init__ = checked
