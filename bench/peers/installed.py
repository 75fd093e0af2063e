"""A peer from PyPI in an environment of its own, made once in a cache folder."""

import os
import subprocess
import sys
from pathlib import Path


def interpreter(package: str, version: str) -> Path | None:
    """Return a Python that has exactly this package, or None where it cannot be installed (no network, for one)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sealgate-bench"
    home = cache / f"{package}-{version}"
    python = home / "bin" / "python"
    if (home / ".complete").is_file():
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True, capture_output=True, timeout=120)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{package}=={version}"],
            check=True,
            capture_output=True,
            timeout=300,
        )
    except (subprocess.SubprocessError, OSError):
        return None
    (home / ".complete").touch()
    return python
