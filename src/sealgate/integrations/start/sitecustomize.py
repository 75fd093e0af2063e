"""Imported by Python itself before the program, where ``sealgate run`` put this folder first.

Python goes on after an error in this module, so it does not come to that: without the gate the process ends here.
"""

import os
import sys


def _start() -> None:
    try:
        from sealgate.integrations import autoload  # noqa: PLC0415  # its failure is handled here

        autoload.start()
    except BaseException as error:  # noqa: BLE001  # whatever it is, the program would run without the gate
        text = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
        hint = getattr(error, "hint", "")
        sys.stderr.write(f"sealgate: not started: {text}\n" + (f"  hint: {hint}\n" if hint else ""))
        sys.stderr.flush()
        os._exit(70)


_start()
