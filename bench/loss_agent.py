"""``python -m bench.loss_agent SOCKET SPOOL SECONDS COMPRESS SPOOL_BYTES FILE_BYTES``: an agent under load.

Four threads record events. After each call that returned, the item's id is a line on standard output; a call that
raised is a line ``refused``. Pauses of the shipping thread pass COMPRESS times faster. FILE_BYTES above 0 bounds the
size of every file, as a disk does that is full.
"""

import os
import resource
import signal
import sys
import threading
import time

from sealgate.model.errors import SealgateError
from sealgate.sdk import Client

_THREADS = 4


def main() -> None:
    """Record until the time is over or somebody kills us."""
    socket, spool, *numbers = sys.argv[1:]
    seconds, compress, spool_bytes, file_bytes = (float(number) for number in numbers)
    client = Client(agent="a1", socket=socket, spool=spool, spool_bytes=int(spool_bytes))
    client.core.recorder.shipper._wait = lambda event, pause: event.wait(pause / compress)  # noqa: SLF001  # the clock of this test
    if file_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(file_bytes), int(file_bytes)))
    until = time.monotonic() + seconds

    def work(number: int) -> None:
        count = 0
        while time.monotonic() < until:
            try:
                recorded = client.log_event("load", {"thread": number, "n": count})
            except SealgateError:
                os.write(1, b"refused\n")
                time.sleep(0.01)
                continue
            os.write(1, f"{recorded.item_id}\n".encode())
            count += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
