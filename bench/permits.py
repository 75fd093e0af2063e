"""Bar 6: a permit is redeemed once and an approval used once, whatever happens at the same time.

Against ``sealgate serve`` over its socket: 10,000 redemptions of 1,000 permits at once; the same again with a kill -9
in the middle; permits and approvals after their time; many yeses and many identical retries at once; retries with a
kill -9 in the middle. What counts is what the authority says afterwards, not only what it answered before it died.
"""

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from bench.harness import Options, Result
from bench.permits_world import APPROVERS, Answer, World, question, world

_OK: Final = 200
_TRIES: Final = 10
_RETRIES: Final = 5
_TTL_S: Final = 6
"""Of what expires: long enough that all questions about one approval come while it lives, also on a busy machine."""


def run(options: Options) -> Result:
    """Run all races at full size; ``--seconds`` does not matter here."""
    del options
    return run_sized(permits=1000, approvals=200)


def run_sized(*, permits: int, approvals: int) -> Result:
    """Run all races with so many permits and approvals."""
    figures: dict[str, Any] = {}
    with world() as place:
        asyncio.run(_redemptions(place, permits, figures))
        asyncio.run(_redemptions_killed(place, permits // 4, figures))
        asyncio.run(_approvals(place, approvals, figures))
        asyncio.run(_approvals_killed(place, approvals, figures))
    with world(ttl_s=_TTL_S, permit_ttl_s=_TTL_S) as place:
        asyncio.run(_expired(place, max(10, approvals // 4), figures))
    return Result("permits", figures, 1, f"{permits} permits, {approvals} approvals", _missed(figures))


def _redeem(token: str, number: int) -> tuple[str, Any, None]:
    arguments = b'{"number":%d}' % number
    body = {"permit": token, "tool": "read", "arguments_sha256": hashlib.sha256(arguments).hexdigest()}
    return "/v1/permits/redeem", body, None


async def _permitted(place: World, numbers: range) -> list[tuple[str, int]]:
    answers = await place.together([question("read", number) for number in numbers])
    tokens = [
        (answer[1]["context"]["permit"]["token"], n) for n, answer in zip(numbers, answers, strict=True) if answer
    ]
    if len(tokens) != len(numbers):
        raise RuntimeError("not every question was permitted")
    return tokens


async def _redemptions(place: World, count: int, figures: dict[str, Any]) -> None:
    tokens = await _permitted(place, range(count))
    calls = [_redeem(*token) for token in tokens for _ in range(_TRIES)]
    random.Random(6).shuffle(calls)
    started = time.perf_counter()
    answers = await place.together(calls)
    seconds = time.perf_counter() - started
    won = Counter(_token(call) for call, answer in zip(calls, answers, strict=True) if answer and answer[0] == _OK)
    figures |= {
        "redemptions": len(calls),
        "permits": count,
        "permits_redeemed_once": sum(times == 1 for times in won.values()),
        "permits_redeemed_more": sum(times > 1 for times in won.values()),
        "redemptions_per_s": round(len(calls) / seconds),
        "refused_otherwise_than_used": sum(
            not answer or (answer[0] != _OK and "permit-already-redeemed" not in answer[1]["type"])
            for answer in answers
        ),
    }


async def _redemptions_killed(place: World, count: int, figures: dict[str, Any]) -> None:
    tokens = await _permitted(place, range(count))
    calls = [_redeem(*token) for token in tokens for _ in range(_TRIES)]
    random.Random(7).shuffle(calls)
    before = await _killed_while(place, calls)
    after = await place.together(calls)
    won: Counter[str] = Counter()
    for answers in (before, after):
        won.update(_token(call) for call, answer in zip(calls, answers, strict=True) if answer and answer[0] == _OK)
    figures |= {
        "killed_permits": count,
        "killed_answers_before": sum(answer is not None for answer in before),
        "killed_permits_redeemed_more": sum(times > 1 for times in won.values()),
        # One whose record was durable and whose answer was lost is used up too, and says so.
        "killed_permits_left_open": await _still_open(place, tokens),
    }


async def _still_open(place: World, tokens: list[tuple[str, int]]) -> int:
    answers = await place.together([_redeem(*token) for token in tokens])
    return sum(not answer or answer[0] == _OK for answer in answers)


async def _killed_while(place: World, calls: Sequence[tuple[str, Any, Any]]) -> list[Answer | None]:
    """Send the calls, kill the authority when some were answered, start it again."""
    task = asyncio.create_task(place.together(calls))
    await asyncio.sleep(0.15)
    place.kill()
    answers = await task
    place.authority.start()
    return answers


async def _ask(place: World, numbers: range) -> dict[int, str]:
    """Have people asked about each number; return the approvals' ids. Five times each: one approval all the same."""
    answers = await place.together([question("pay", number) for number in numbers for _ in range(_RETRIES)])
    found: dict[int, str] = {}
    asked = [number for number in numbers for _ in range(_RETRIES)]
    for number, answer in zip(asked, answers, strict=True):
        if answer is None or (answer[1].get("context") or {}).get("approval") is None:
            raise RuntimeError(f"nobody was asked: {answer}")
        if found.setdefault(number, answer[1]["context"]["approval"]["id"]) != answer[1]["context"]["approval"]["id"]:
            raise RuntimeError("one call, two approvals")
    return found


def _grants(approvals: dict[int, str]) -> list[tuple[str, Any, str]]:
    return [(f"/v1/approvals/{one}/grant", {"reason": ""}, who) for one in approvals.values() for who in APPROVERS]


def _used(answers: list[Answer | None]) -> Counter[str]:
    permits = [answer[1]["context"] for answer in answers if answer and answer[1].get("decision") is True]
    return Counter(context["approval"]["id"] for context in permits)


async def _approvals(place: World, count: int, figures: dict[str, Any]) -> None:
    numbers = range(10_000, 10_000 + count)
    asked = await _ask(place, numbers)
    grants: list[tuple[str, Any, Any]] = list(_grants(asked))
    retries: list[tuple[str, Any, Any]] = [question("pay", number) for number in numbers for _ in range(_RETRIES)]
    calls = grants + retries
    random.Random(8).shuffle(calls)
    answers = await place.together(calls)
    yes = [answer for call, answer in zip(calls, answers, strict=True) if call[0].endswith("/grant")]
    used = _used(answers) + _used(await place.together([question("pay", number) for number in numbers]))
    figures |= {
        "approvals": count,
        "approvals_used_once": sum(used[one] == 1 for one in asked.values()),
        "approvals_used_more": sum(times > 1 for times in used.values()),
        "approvals_granted_once": sum(answer is not None and answer[0] == _OK for answer in yes),
        "answers_to_approvals": len(yes),
    }


async def _approvals_killed(place: World, count: int, figures: dict[str, Any]) -> None:
    numbers = range(20_000, 20_000 + count)
    asked = await _ask(place, numbers)
    await place.together(list(_grants(asked)))
    retries = [question("pay", number) for number in numbers for _ in range(_RETRIES)]
    random.Random(9).shuffle(retries)
    before = await _killed_while(place, retries)
    again = [question("pay", number) for number in numbers for _ in range(2)]
    used = _used(before) + _used(await place.together(again))
    shown = await place.together([(f"/v1/approvals/{one}", None, "boss") for one in asked.values()])
    figures |= {
        "killed_approvals": count,
        "killed_approval_answers_before": sum(answer is not None for answer in before),
        "killed_approvals_used_more": sum(times > 1 for times in used.values()),
        "killed_approvals_consumed": sum(
            bool(one and one[1].get("state") == "consumed" and one[1]["uses"] == 1) for one in shown
        ),
    }


async def _expired(place: World, count: int, figures: dict[str, Any]) -> None:
    tokens = await _permitted(place, range(count))
    asked = await _ask(place, range(30_000, 30_000 + count))
    await place.together(list(_grants(asked)))
    await asyncio.sleep(_TTL_S + 0.5)
    late = await place.together([_redeem(*token) for token in tokens])
    retried = await place.together([question("pay", number) for number in asked])
    figures |= {
        "expired": 2 * count,
        "expired_permits_redeemed": sum(not answer or answer[0] == _OK for answer in late),
        "expired_approvals_used": sum(_used(retried).values()),
    }


def _token(call: tuple[str, Any, Any]) -> str:
    return str(call[1]["permit"])


def _missed(figures: dict[str, Any]) -> list[str]:
    """Name each bar that is not met."""
    missed = [f"{name} is {value}" for name, value in figures.items() if name.endswith(_NONE) and value]
    for name, whole in (
        ("permits_redeemed_once", "permits"),
        ("approvals_used_once", "approvals"),
        ("approvals_granted_once", "approvals"),
        ("killed_approvals_consumed", "killed_approvals"),
    ):
        if figures[name] != figures[whole]:
            missed.append(f"{name} is {figures[name]} of {figures[whole]}")
    return missed


_NONE: Final = ("_more", "_left_open", "_otherwise_than_used", "expired_permits_redeemed", "expired_approvals_used")
