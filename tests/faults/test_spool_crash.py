"""kill -9 at any moment of writing the spool: what was acknowledged is there and whole, and nothing is half there."""

import pathlib
import random
import signal
import subprocess
import sys
import time

from sealgate.sdk.spool import Spool

WRITER = """
import pathlib, sys
from sealgate.sdk.spool import Spool
from sealgate.sdk.transport import Call
spool = Spool(pathlib.Path(sys.argv[1]), "unix:x")
number = 0
while True:
    spool.append(Call("POST", "/v1/outcomes", b'{"n":%d}' % number, f"{sys.argv[2]}-{number}", repeatable=True))
    print(number, flush=True)
    number += 1
"""


def test_acknowledged_reports_survive_kill_9(tmp_path: pathlib.Path):
    """Twelve writers are killed at random moments; every acknowledged report is readable, in order, no torn one is."""
    moments = random.Random(7)  # noqa: S311  # a seed, so that a failure can be repeated
    spool = Spool(tmp_path / "spool", "unix:x")
    expected: list[str] = []
    for turn in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "spool"), str(turn)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        time.sleep(moments.random() * 0.05)
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
        acknowledged = 1 + rest.count("\n")
        expected += [f"{turn}-{number}" for number in range(acknowledged)]

    found = [report.call.request_id for report in spool.waiting()]
    unacknowledged = [name for name in found if name not in set(expected)]
    assert [name for name in found if name in set(expected)] == expected
    assert len(unacknowledged) <= 12  # at most the one that each writer was about to acknowledge
    assert spool.refused() == 0
