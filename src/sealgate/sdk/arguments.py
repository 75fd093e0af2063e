"""Freezing arguments: what was judged is what runs.

The values are copied once, level by level, into objects that only the guard holds; the digest is taken from the copy
and the function is called with the copy. Whatever the caller does to its own lists and dictionaries meanwhile changes
nothing. Only exact JSON types are copied: a subclass of ``str`` or ``dict`` could answer differently each time it is
read.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from sealgate.encoding import canonical
from sealgate.model.errors import EncodingError
from sealgate.model.limits import MAX_DEPTH
from sealgate.sdk.errors import ArgumentsRefused

Encode = Callable[[str, Any], Any]
"""(parameter name, value that is not JSON) → the JSON that stands for it in the decision."""

Decode = Callable[[str, Any], Any]
"""(parameter name, that JSON) → the value that the function receives."""

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


class NotJson(TypeError):  # noqa: N818  # never leaves this module's callers
    """A value has no exact JSON form."""


def freeze(value: Any, depth: int = 1) -> Any:
    """Return a deep copy of a JSON value made of exact built-in types.

    Raises:
        NotJson: some part of it is not JSON, or it is nested too deeply.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if depth > MAX_DEPTH:
        raise NotJson(f"nesting is deeper than {MAX_DEPTH}")
    if kind is list:
        return [freeze(item, depth + 1) for item in value]
    if kind is dict:
        copy = {}
        for key, item in value.items():
            if type(key) is not str:
                raise NotJson(f"a key of type `{type(key).__name__}` is not JSON")
            copy[key] = freeze(item, depth + 1)
        return copy
    raise NotJson(f"a value of type `{kind.__name__}` is not JSON")


@dataclass(frozen=True, slots=True)
class Frozen:
    """Arguments as they are judged and as they will be passed."""

    canonical: bytes
    """RFC 8785 bytes of the arguments by name; exactly these travel to the authority."""

    passed: inspect.BoundArguments
    unchanged: Callable[[], bool]
    """Tell, just before the body runs, whether objects passed by identity still encode as they were judged."""

    @property
    def judged(self) -> dict[str, Any]:
        """Name → JSON, a new copy each time: changing it changes nothing."""
        values: dict[str, Any] = orjson.loads(self.canonical)
        return values

    @property
    def sha256(self) -> str:
        """Lower-case hex SHA-256 of the canonical bytes: what a permit is redeemed for."""
        return canonical.sha256(self.canonical).hex()


def encode(values: dict[str, Any]) -> bytes:
    """Return the RFC 8785 bytes of arguments; ArgumentsRefused when they have none."""
    try:
        return canonical.encode_arguments(values)
    except EncodingError as error:
        raise ArgumentsRefused(error.message, hint=error.hint) from error


class Binder:
    """Turns the arguments of one callable into frozen ones.

    Args:
        signature: of the callable.
        receiver: whether the first parameter is ``self`` or ``cls``, which is passed on and not judged.
        encode_value: stands in for values that are not JSON; without it they are refused.
        decode_value: rebuilds the value from its JSON. Without it the very object is passed, after it was encoded once
            more and found the same.
    """

    def __init__(
        self, signature: inspect.Signature, *, receiver: bool, encode_value: Encode | None, decode_value: Decode | None
    ) -> None:
        parameters = list(signature.parameters.values())
        self._signature = signature
        self._receiver = parameters[0].name if receiver else None
        self._variadic = {
            item.name: item.kind for item in parameters if item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD)
        }
        self._encode = encode_value
        self._decode = decode_value

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Frozen:
        """Return the frozen arguments of one call, defaults included.

        Raises:
            TypeError: they do not fit the signature, exactly as Python itself says it.
            ArgumentsRefused: one of them has no exact JSON form.
        """
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        judged: dict[str, Any] = {}
        held: list[tuple[str, Any, bytes]] = []
        for name, value in bound.arguments.items():
            if name == self._receiver:
                continue
            judged[name], bound.arguments[name] = self._freeze(name, value, held)
        return Frozen(encode(judged), bound, lambda: self._unchanged(held))

    def _freeze(self, name: str, value: Any, held: list[tuple[str, Any, bytes]]) -> tuple[Any, Any]:
        """Return (what is judged, what is passed): one copy of ours, except for what a hook encodes."""
        kind = self._variadic.get(name)
        if kind is inspect.Parameter.VAR_POSITIONAL:
            pairs = [self._freeze_value(name, item, held) for item in value]
            return [pair[0] for pair in pairs], tuple(pair[1] for pair in pairs)
        if kind is inspect.Parameter.VAR_KEYWORD:
            named = {key: self._freeze_value(key, item, held) for key, item in value.items()}
            return {key: pair[0] for key, pair in named.items()}, {key: pair[1] for key, pair in named.items()}
        return self._freeze_value(name, value, held)

    def _freeze_value(self, name: str, value: Any, held: list[tuple[str, Any, bytes]]) -> tuple[Any, Any]:
        if type(value) in _SCALARS:
            return value, value
        try:
            copy = freeze(value)
        except NotJson as error:
            return self._freeze_with_hook(name, value, held, error)
        except RuntimeError as error:  # a dictionary changed its size under our hands
            raise ArgumentsRefused(f"argument `{name}` changes while it is read") from error
        return copy, copy

    def _freeze_with_hook(
        self, name: str, value: Any, held: list[tuple[str, Any, bytes]], reason: NotJson
    ) -> tuple[Any, Any]:
        if self._encode is None:
            raise ArgumentsRefused(
                f"argument `{name}` cannot be judged: {reason}", hint="pass JSON values or give the guard `encode=`"
            ) from reason
        judged = self._encoded(name, value)
        if self._decode is not None:
            return judged, self._decode(name, freeze(judged))
        held.append((name, value, encode({"": judged})))
        return judged, value

    def _encoded(self, name: str, value: Any) -> Any:
        if self._encode is None:
            raise ArgumentsRefused(f"argument `{name}` cannot be judged without `encode=`")
        try:
            return freeze(self._encode(name, value))
        except NotJson as error:
            raise ArgumentsRefused(f"`encode` made no JSON of argument `{name}`: {error}") from error

    def _unchanged(self, held: list[tuple[str, Any, bytes]]) -> bool:
        return all(encode({"": self._encoded(name, value)}) == before for name, value, before in held)
