"""The home folder that the demo's servers work in: a project, somebody else's repository, a private key."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from sealgate.model.errors import UnavailableError

SECRET: Final = "PRIVATE-KEY-OF-THE-DEMO"  # noqa: S105  # opens nothing; it is there to be stolen
_ENVIRONMENT: Final = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


class Home:
    """A fresh home below ``folder``.

    ``project`` is the scribe's repository, with a draft that is not committed; ``payroll`` is a repository that is none
    of its business, with a change staged by its owner; ``key`` is a secret. The servers can reach all three.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project, self.payroll = folder / "project", folder / "payroll"
        self.key = folder / ".ssh" / "id_ed25519"
        self.key.parent.mkdir(parents=True)
        self.key.write_text(SECRET + "\n", encoding="utf-8")
        for repository in (self.project, self.payroll):
            self.git(folder, "init", "--quiet", "--initial-branch=main", str(repository))
            self.git(repository, "config", "user.name", "Scribe")
            self.git(repository, "config", "user.email", "scribe@example.org")
            (repository / "README.md").write_text(f"# {repository.name}\n", encoding="utf-8")
            self.git(repository, "add", "README.md")
            self.git(repository, "commit", "--quiet", "--message", "Start")
        (self.project / "draft.md").write_text("The tower opens at noon.\n", encoding="utf-8")
        (self.payroll / "salaries.csv").write_text("name,amount\n", encoding="utf-8")
        self.git(self.payroll, "add", "salaries.csv")

    def git(self, repository: Path, *arguments: str) -> str:
        """Run git in a repository and return what it printed; this machine's own configuration does not count.

        Raises:
            UnavailableError: git is missing, or it failed.
        """
        program = shutil.which("git")
        if program is None:
            raise UnavailableError("program `git` is not installed", hint="as root: apt-get install git")
        done = subprocess.run(
            [program, "-C", repository, *arguments],
            capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT},
        )  # fmt: skip
        if done.returncode != 0:
            raise UnavailableError(f"`git {arguments[0]}` failed: {done.stderr.strip()[-400:]}")
        return done.stdout.strip()

    def commits(self, repository: Path) -> list[str]:
        """Return the subjects of a repository's commits, newest first."""
        return self.git(repository, "log", "--format=%s").splitlines()

    def branches(self, beginning: str) -> list[str]:
        """Return the project's branches whose names begin like this."""
        return [name for name in self.git(self.project, "branch", "--format=%(refname:short)").splitlines()
                if name.startswith(beginning)]  # fmt: skip
