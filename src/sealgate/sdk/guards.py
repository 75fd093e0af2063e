"""``@guard``: the action runs only with a permit for exactly its arguments, and its outcome is always reported."""

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, Final, ParamSpec, TypeVar, cast, overload

from sealgate.sdk import enforcement, flows
from sealgate.sdk.arguments import Binder, Decode, Encode
from sealgate.sdk.core import Core, default_core
from sealgate.sdk.enforcement import Redeem, Rules
from sealgate.sdk.errors import NotCoverable
from sealgate.sdk.tracing import enter, leave

P = ParamSpec("P")
R = TypeVar("R")

_RECEIVERS: Final = ("self", "cls")


class Guard:
    """The decorator ``guard(...)`` with its options bound. Apply it to any number of callables.

    Args:
        core: of the client to ask; called at each guarded call, so that guarding a function needs no authority yet.
        tool: the tool's name in policies; the function's own name by default.
        server: the tool server's name in policies; the client's by default.
        redeem: see ``Redeem``.
        encode: ``(parameter, value) → JSON`` for arguments that are not JSON; they are refused without it.
        decode: ``(parameter, JSON) → value``, the way back.
        encode_output: ``result → JSON or bytes`` to digest; other results are recorded without a digest.
        obligations: handlers by obligation id, beside the client's.
        facts: session facts for policies, or a function that returns them at each call.
        tool_definition_sha256: pins the tool's definition.
        wait_for_approval: seconds to wait for people where a policy asks for their approval; 0 raises at once.
    """

    def __init__(
        self,
        core: Callable[[], Core],
        *,
        tool: str | None = None,
        server: str | None = None,
        redeem: Redeem = "with_decision",
        encode: Encode | None = None,
        decode: Decode | None = None,
        encode_output: Callable[[Any], Any] | None = None,
        obligations: Mapping[str, flows.Handler] | None = None,
        facts: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        tool_definition_sha256: str | None = None,
        wait_for_approval: float = 0.0,
    ) -> None:
        self._core = core
        self._tool = tool
        self._encode, self._decode = encode, decode
        self._options: dict[str, Any] = {
            "server": server,
            "redeem": redeem,
            "obligations": dict(obligations or {}),
            "facts": facts if callable(facts) or facts is None else lambda: facts,
            "encode_output": encode_output,
            "tool_definition_sha256": tool_definition_sha256,
            "wait_for_approval": wait_for_approval,
        }

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return the guarded form of ``function``: same signature, same name, sync or async as it was.

        Raises:
            NotCoverable: its effects would happen outside of the call (a generator, a class).
        """
        if isinstance(function, (classmethod, staticmethod)):
            inner = self._wrap(function.__func__, receiver=isinstance(function, classmethod))
            return cast("Callable[P, R]", type(function)(inner))
        return cast("Callable[P, R]", self._wrap(function, receiver=_has_receiver(function)))

    def _wrap(self, function: Callable[..., Any], *, receiver: bool) -> Callable[..., Any]:
        _require_coverable(function)
        signature = inspect.signature(function)
        rules = Rules(tool=self._tool or _name_of(function), **self._options)
        binder = Binder(signature, receiver=receiver, encode_value=self._encode, decode_value=self._decode)
        asynchronous = _is_async(function)
        template = _async_template if asynchronous else _sync_template
        return _dress(template(self._core, rules, binder, function), function, signature)


def _sync_template(
    core_of: Callable[[], Core], rules: Rules, binder: Binder, function: Callable[..., Any]
) -> types.FunctionType:
    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        frozen = binder.bind(args, kwargs)
        core = core_of()
        grant = core.run(enforcement.before(core, rules, frozen))
        token, held = enter(grant.span), enforcement.hold(grant)
        try:
            result = _finished(function(*frozen.passed.args, **frozen.passed.kwargs))
        except BaseException as error:
            core.run(enforcement.failed(grant, error))
            raise
        finally:
            enforcement.release(held)
            leave(token)
        return core.run(enforcement.succeeded(grant, rules, result))

    def guarded(*args: Any, **kwargs: Any) -> Any:
        return run(args, kwargs)

    return cast("types.FunctionType", guarded)


def _async_template(
    core_of: Callable[[], Core], rules: Rules, binder: Binder, function: Callable[..., Any]
) -> types.FunctionType:
    async def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        frozen = binder.bind(args, kwargs)
        core = core_of()
        grant = await core.run_async(enforcement.before(core, rules, frozen))
        token, held = enter(grant.span), enforcement.hold(grant)
        try:
            result = _finished(await function(*frozen.passed.args, **frozen.passed.kwargs))
        except BaseException as error:
            await core.run_async(enforcement.failed(grant, error))
            raise
        finally:
            enforcement.release(held)
            leave(token)
        return await core.run_async(enforcement.succeeded(grant, rules, result))

    async def guarded(*args: Any, **kwargs: Any) -> Any:
        return await run(args, kwargs)

    return cast("types.FunctionType", guarded)


def _dress(
    template: types.FunctionType, function: Callable[..., Any], signature: inspect.Signature
) -> types.FunctionType:
    """Return ``template`` with the looks of ``function``, its annotations resolvable in its own module.

    There is no ``__wrapped__``: a framework that unwraps decorators would call the body without a permit. What that
    attribute is used for is given directly: the signature, and the module's globals to resolve annotations in (the
    template uses only its closure, so it runs under any globals).
    """
    dressed = types.FunctionType(
        template.__code__,
        getattr(function, "__globals__", template.__globals__),
        getattr(function, "__name__", type(function).__name__),
        None,
        template.__closure__,
    )
    for name in ("__module__", "__qualname__", "__doc__"):
        setattr(dressed, name, getattr(function, name, None) or getattr(type(function), name))
    dressed.__annotations__ = dict(getattr(function, "__annotations__", {}))
    dressed.__dict__.update(
        {key: value for key, value in getattr(function, "__dict__", {}).items() if key != "__wrapped__"}
    )
    dressed.__dict__["__signature__"] = signature
    return dressed


def _require_coverable(function: Callable[..., Any]) -> None:
    name = getattr(function, "__qualname__", type(function).__name__)
    if not callable(function):
        raise NotCoverable(f"`{name}` is not callable")
    if inspect.isclass(function):
        raise NotCoverable(f"`{name}` is a class", hint="guard its methods or a function that makes the object")
    if any(check(part) for check in _GENERATORS for part in _parts(function)):
        raise NotCoverable(
            f"`{name}` is a generator: it runs while its caller iterates, after the decision was used up",
            hint="guard a function that does the whole action and returns its result",
        )


_GENERATORS: Final = (inspect.isgeneratorfunction, inspect.isasyncgenfunction)


def _parts(function: Callable[..., Any]) -> tuple[Any, Any]:
    """Return the callable and, for an object, the method that makes it one."""
    return function, getattr(type(function), "__call__", None)  # noqa: B004  # the method itself is wanted


def _is_async(function: Callable[..., Any]) -> bool:
    return any(inspect.iscoroutinefunction(part) for part in _parts(function))


def _finished(result: Any) -> Any:
    """Return a result that is one, and not work that would be done later without anybody watching."""
    if inspect.isgenerator(result) or inspect.iscoroutine(result):
        result.close()
    if inspect.isgenerator(result) or inspect.isasyncgen(result) or inspect.isawaitable(result):
        raise NotCoverable(
            f"the guarded function returned a `{type(result).__name__}`, which would act after its outcome",
            hint="await or exhaust it inside of the guarded function",
        )
    return result


def _has_receiver(function: Callable[..., Any]) -> bool:
    """Tell whether the first parameter is ``self`` or ``cls`` of a function that is written in a class body."""
    if not isinstance(function, types.FunctionType):
        return False
    scope = function.__qualname__.rpartition("<locals>.")[2]
    names = list(inspect.signature(function).parameters)
    return "." in scope and bool(names) and names[0] in _RECEIVERS


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", None) or getattr(getattr(function, "func", None), "__name__", None)
    if not isinstance(name, str):
        raise NotCoverable("this callable has no name", hint="give the guard `tool=`")
    return name


@overload
def guard(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def guard(
    *,
    tool: str | None = None,
    server: str | None = None,
    redeem: Redeem = "with_decision",
    encode: Encode | None = None,
    decode: Decode | None = None,
    encode_output: Callable[[Any], Any] | None = None,
    obligations: Mapping[str, flows.Handler] | None = None,
    facts: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
    tool_definition_sha256: str | None = None,
    wait_for_approval: float = 0.0,
) -> Guard: ...


def guard(function: Callable[P, R] | None = None, /, **options: Any) -> Callable[P, R] | Guard:
    """Guard a callable with the default client (``configure``, else the environment). Options: see ``Guard``.

    ::

        @guard
        def send_money(to: str, amount: int) -> str: ...

        @guard(tool="delete_file", server="files")
        async def delete(path: str) -> None: ...
    """
    decorator = Guard(default_core, **options)
    return decorator if function is None else decorator(function)
