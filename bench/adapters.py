"""Every adapter in its own environment, through every case: how many bodies ran that the policy does not permit.

Environments are those that ``scripts/adapter-env`` made; adapters without one are named, and miss the bar.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from bench.frameworks.approvals import each
from bench.frameworks.cases import CASES, try_case
from bench.frameworks.world import world
from bench.harness import Options, Result
from sealgate.integrations.versions import FRAMEWORKS

_ROOT: Final = Path(__file__).resolve().parents[1]
_TIMEOUT_S: Final = 1200


def run(options: Options) -> Result:
    """Run every adapter that has an environment."""
    del options
    figures: dict[str, Any] = {}
    missed: list[str] = []
    without: list[str] = []
    cases = unpermitted = 0
    for framework in FRAMEWORKS:
        python = _ROOT / ".venv-adapters" / framework.name / "bin" / "python"
        if not python.is_file():
            without.append(framework.name)
            continue
        found = _child(python, framework.adapter)
        cases += found["cases"]
        unpermitted += found["unpermitted"]
        figures[framework.name] = f"{found['cases']} cases, {found['unpermitted']} unpermitted"
        missed += [f"{framework.name}: {problem}" for problem in found["problems"]]
    figures |= {"cases": cases, "unpermitted_bodies": unpermitted, "without_environment": without}
    if unpermitted:
        missed.append(f"{unpermitted} unpermitted bodies ran")
    if without:
        missed.append(f"no environment, so not tried (make adapters): {', '.join(without)}")
    return Result("adapters", figures, runs=1, measured_on="a real authority, scripted models", missed=missed)


def _child(python: Path, adapter: str) -> dict[str, Any]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [python, "-W", "ignore", "-m", "bench.adapters", adapter],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return {"cases": 0, "unpermitted": 0, "problems": [f"did not finish: {done.stderr[-300:]}"]}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _drive(adapter: str) -> dict[str, Any]:
    """Run all cases of one framework; called in its environment."""
    driver: Any = importlib.import_module(f"bench.frameworks.{adapter}")
    cases, unpermitted, problems = 0, 0, []
    with tempfile.TemporaryDirectory(prefix="sg-") as folder, world(Path(folder)) as running:
        for shape in driver.shapes:
            for case in CASES:
                tried = try_case(driver, running, case, shape)
                cases += 1
                unpermitted += len(tried.unpermitted)
                problems += [f"{case.name}, {shape}: {tried.problems[0][:200]}"] if tried.problems else []
        for name, approval in each(driver):
            tried = approval(running)
            cases += 1
            unpermitted += len(tried.unpermitted)
            problems += [f"approval {name}: {tried.problems[0][:200]}"] if tried.problems else []
    return {"cases": cases, "unpermitted": unpermitted, "problems": problems}


if __name__ == "__main__":
    print(json.dumps(_drive(sys.argv[1])))
