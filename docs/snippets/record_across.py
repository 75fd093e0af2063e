"""Keep one trace across processes: headers of a request, the environment of a child."""

import subprocess
import sys

import sealgate

CHILD = "import sealgate\nwith sealgate.continued(): print(sealgate.current_traceparent())"


def main() -> None:
    """Call another service and another program from within a task."""
    with sealgate.task("delegate"):
        headers = sealgate.inject({"accept": "application/json"})  # send these along
        with sealgate.continued(headers):  # the other service does this with what came in
            print(sealgate.current_traceparent() == headers["traceparent"])
        done = subprocess.run(  # noqa: S603  # our own interpreter
            [sys.executable, "-c", CHILD], env=sealgate.inject_environment(), capture_output=True, text=True, check=True
        )
        print(done.stdout.strip() == headers["traceparent"])


if __name__ == "__main__":
    main()
