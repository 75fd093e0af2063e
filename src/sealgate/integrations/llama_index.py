"""LlamaIndex: around ``call`` and ``acall`` of every tool class, those of later subclasses included.

There is no hook that can veto, and workflow agents ignore overridden methods of their own; but all of them, hand-offs
included, end in a tool's ``call`` or ``acall``. Hand-offs are calls of the tool ``handoff``.
"""

import inspect
from functools import wraps
from typing import Any, Final

from llama_index.core.tools import BaseTool, FunctionTool, ToolOutput

from sealgate.integrations.core import Call, Gate
from sealgate.integrations.verdicts import Verdict
from sealgate.integrations.versions import require_known

NAME: Final = "llama-index"
_METHODS: Final = ("call", "acall")
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
    for owner in _subclasses(BaseTool):
        _patch(owner)
    original = BaseTool.__init_subclass__.__func__

    def patching(cls: Any, /, **kwargs: Any) -> None:
        original(cls, **kwargs)
        _patch(cls)

    BaseTool.__init_subclass__ = classmethod(patching)


def _subclasses(owner: Any) -> set[Any]:
    return {owner}.union(*(_subclasses(child) for child in owner.__subclasses__()))


def _patch(owner: Any) -> None:
    for method in _METHODS:
        body = owner.__dict__.get(method)
        if body is not None and not getattr(body, "sealgate_gated", False) and not inspect.isabstract(owner):
            setattr(owner, method, _gated(body))


def _gated(body: Any) -> Any:
    def prepared(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Call, dict[str, Any]]:
        context = getattr(self, "ctx_param_name", None)
        hidden = {key: value for key, value in kwargs.items() if key == context}
        given = {key: value for key, value in kwargs.items() if key != context}
        fields = list(self.metadata.get_parameters_dict().get("properties", {}))
        positional = dict(zip(fields, args, strict=False))
        fixed = {**self._field_defaults, **self.partial_params} if isinstance(self, FunctionTool) else {}
        return Call(NAME, self.metadata.get_name(), {**fixed, **positional, **given}), hidden

    if inspect.iscoroutinefunction(body):

        @wraps(body)
        async def acall(self: Any, *args: Any, **kwargs: Any) -> Any:
            asked, hidden = prepared(self, args, kwargs)
            gate: Gate = _installed["gate"]
            return await gate.acall(asked, lambda final: body(self, **final, **hidden), _refused)

        acall.sealgate_gated = True  # type: ignore[attr-defined]  # so that it is not wrapped twice
        return acall

    @wraps(body)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        asked, hidden = prepared(self, args, kwargs)
        gate: Gate = _installed["gate"]
        return gate.call(asked, lambda final: body(self, **final, **hidden), _refused)

    call.sealgate_gated = True  # type: ignore[attr-defined]  # as above
    return call


def _refused(verdict: Verdict) -> ToolOutput:
    return ToolOutput(
        content=verdict.reason, tool_name=verdict.tool, raw_input=verdict.arguments, raw_output=None, is_error=True
    )
