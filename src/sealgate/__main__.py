"""The ``sealgate`` command, also as ``python -m sealgate``: the client's installation has none of what it needs."""

import sys


def main() -> None:
    """Run the command line; where it is not installed, say how it is."""
    try:
        from sealgate.cli import main as command  # noqa: PLC0415  # may be missing
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.partition(".")[0] == "sealgate":
            raise  # a defect of ours
        sys.exit(f"sealgate: `{missing}` is not installed\n  hint: commands need `pip install 'sealgate[server]'`")
    command()


if __name__ == "__main__":
    main()
