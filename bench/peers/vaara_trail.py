"""Drive Vaara with its default SQLite trail; prints one JSON line. Runs under an interpreter that has ``vaara``.

Called as ``python vaara_trail.py THREADS SECONDS`` with ``HOME`` set to the folder that shall hold ``.vaara``. One
pipeline, as its documentation shows it; the calls are of an agent each, because writes are to be serialized per agent.
"""

import importlib
import json
import sys
import threading
import time


def main() -> None:
    """Decide as often as possible for the given time and print how often, and how many trail rows that made."""
    threads, seconds = int(sys.argv[1]), float(sys.argv[2])
    pipeline = importlib.import_module("vaara.pipeline").InterceptionPipeline()
    counts, allowed = [0] * threads, [0] * threads
    barrier = threading.Barrier(threads + 1)

    def worker(number: int) -> None:
        agent = f"agent-{number}"
        barrier.wait()
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            result = pipeline.intercept(
                agent_id=agent,
                tool_name="data.read",
                parameters={
                    "recipient": "GB29NWBK60161331926819",
                    "amount": 10,
                    "subject": "Refund",
                    "date": "2022-04-01",
                },
                agent_confidence=0.8,
            )
            counts[number] += 1
            allowed[number] += bool(result.allowed)

    crew = [threading.Thread(target=worker, args=(number,), daemon=True) for number in range(threads)]
    for thread in crew:
        thread.start()
    barrier.wait()
    started = time.monotonic()
    for thread in crew:
        thread.join()
    print(json.dumps({"decisions": sum(counts), "allowed": sum(allowed), "seconds": time.monotonic() - started}))


if __name__ == "__main__":
    main()
