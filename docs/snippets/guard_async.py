"""Async functions, a permit redeemed just before the body, and arguments that are not JSON."""

import asyncio
import pathlib
from typing import Any

import sealgate


def as_text(name: str, value: Any) -> str:
    """Say what the gate judges in place of a path."""
    if isinstance(value, pathlib.PurePath):
        return str(value)
    raise TypeError(name)


@sealgate.guard(
    tool="read_file",
    server="files",
    redeem="before_body",
    encode=as_text,
    decode=lambda _, text: pathlib.Path(text),
)
async def read(path: pathlib.Path) -> str:
    """Read a file, if the gate permits it; the path is rebuilt from the text that was judged."""
    return await asyncio.to_thread(path.read_text, "utf-8")


if __name__ == "__main__":
    print(asyncio.run(read(pathlib.Path(__file__)))[:60])
