"""Recorded AgentDojo runs: what real models proposed, and what their attackers achieved."""

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Proposed:
    """One tool call that a model asked for."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run: the request, what stood at the injection points, the calls, the model's last words."""

    number: int
    suite: str
    user_task: str
    injection_task: str | None
    request: str
    injections: dict[str, str]
    calls: tuple[Proposed, ...]
    last_words: str
    attack_succeeded: bool
    useful: bool = False
    """Whether AgentDojo judged then that the user was served."""


def read(path: Path, every: int = 1) -> Iterator[Recorded]:
    """Yield every n-th run of the file."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number % every == 0:
                yield _recorded(number, json.loads(line))


def _recorded(number: int, run: dict[str, Any]) -> Recorded:
    messages = run["messages"]
    return Recorded(
        number=number,
        suite=run["suite_name"],
        user_task=run["user_task_id"],
        injection_task=run["injection_task_id"],
        request=next((_text(message) for message in messages if message["role"] == "user"), ""),
        injections=dict(run["injections"] or {}),
        calls=tuple(
            Proposed(call["function"], call["args"])
            for message in messages
            if message["role"] == "assistant"
            for call in message.get("tool_calls") or ()
        ),
        last_words=next((_text(message) for message in reversed(messages) if message["role"] == "assistant"), ""),
        attack_succeeded=bool(run["security"]) and run["injection_task_id"] is not None,
        useful=bool(run["utility"]),
    )


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part.get("text") or part.get("content") or "" for part in content)
    return content or ""
