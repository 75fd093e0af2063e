"""The page in a real browser, opened from disk: same verdicts, no network, files chosen as a person would."""

import base64
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.logmaker import Keys, make_log
from sealgate.verifier.__main__ import PAGE

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "receipts"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


def _dom(page: Path, folder: Path, done: str) -> str:
    """Return the document after the page's scripts ran to where they put ``done`` into it, without a network.

    The browser prints when nothing is left to run, and on a busy machine that is before the digests came back.
    """
    for _ in range(8):
        dom = _printed(page, folder)
        if re.search(done, dom):
            break
    return dom


def _printed(page: Path, folder: Path) -> str:
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        f"--user-data-dir={folder / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND", "--timeout=60000",
        "--virtual-time-budget=60000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=110).stdout


def _page_with(script: str, folder: Path) -> Path:
    page = folder / "page.html"
    page.write_text(PAGE.read_text("utf-8").replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    return page


def _encoded(inputs: dict[str, bytes]) -> str:
    return json.dumps({name: base64.b64encode(data).decode() for name, data in inputs.items()})


def test_the_page_loads_nothing_from_anywhere() -> None:
    """No address but its own; a policy that forbids every request; core and page apart."""
    source = PAGE.read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', source)[1]

    assert "default-src 'none'" in policy
    assert not re.search(r"(https?:)?//[a-z]+\.[a-z]", source)
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|import)\s*\(|\bsrc=|\bhref=|innerHTML", source)
    assert source.count("<script") == 2


@needs_browser
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_person_chooses_files_and_sees_the_verdict(tmp_path: Path) -> None:
    """Files put into the form, the button pressed: the verdict and eight numbered steps appear."""
    log = make_log(300, keys=Keys("page", witnesses=1), quorum=1)
    inputs = {"trust": log.trust(), "receipt": log.proof(5).encode(), "body": log.sealed[5][1]}
    script = f"""
      for (const [id, text] of Object.entries({_encoded(inputs)})) {{
        const chosen = new DataTransfer();
        chosen.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], id));
        document.getElementById(id).files = chosen.files;
      }}
      document.getElementById("form").requestSubmit();"""
    dom = _dom(_page_with(script, tmp_path), tmp_path, '<p class="word">')

    assert '<p class="word">verified</p>' in dom
    assert re.findall(r'<span class="n">(\d)\.</span>', dom) == list("12345678")


@needs_browser
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_browser_gives_the_expected_verdicts(tmp_path: Path) -> None:
    """Every vector, in the browser's own WebCrypto."""
    cases = json.loads((VECTORS / "manifest.json").read_text("utf-8"))["cases"]
    kinds = ("receipt", "trust", "body", "prior")
    inputs = [{kind: (VECTORS / case[kind]).read_bytes() for kind in kinds if kind in case} for case in cases]
    script = f"""
      (async () => {{
        const verdicts = [];
        for (const inputs of [{",".join(_encoded(item) for item in inputs)}]) {{
          const bytes = Object.entries(inputs).map(([k, v]) => [k, Uint8Array.from(atob(v), (c) => c.charCodeAt(0))]);
          verdicts.push((await verifyReceipt(Object.fromEntries(bytes))).verdict);
        }}
        document.getElementById("result").textContent = `VERDICTS ${{JSON.stringify(verdicts)}} END`;
      }})();"""
    dom = html.unescape(_dom(_page_with(script, tmp_path), tmp_path, r"VERDICTS \[.*?\] END"))
    verdicts = json.loads(re.search(r"VERDICTS (\[.*?\]) END", dom)[1])
    wrong = [(case["name"], got) for case, got in zip(cases, verdicts, strict=True) if got != case["verdict"]]

    assert wrong == []
