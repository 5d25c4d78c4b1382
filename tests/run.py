"""Runs every test and every check, and ends with one line: `N passed, N failed`.

    python tests/run.py [--lint]

A check that is no test (formatting, clippy, the templates, the licences) counts as one.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUST_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed;")
PYTHON_RAN = re.compile(r"^Ran (\d+) tests?")
PYTHON_FAILED = re.compile(r"(?:failures|errors|unexpected successes)=(\d+)")


def main(arguments: list[str]) -> int:
    steps = [("Rust tests", rust_tests), ("tests of the local AWS", python_tests)]
    steps += [("templates", check(sys.executable, "tests/templates.py")),
              ("SAM transform of the accepted cases", check(sys.executable, "crates/fenrir-core/tests/transform.py", "--check")),
              ("deploys of the accepted cases", check(sys.executable, "crates/fenrir-core/tests/deploys.py")),
              ("licences", check(sys.executable, "tests/licences.py"))]
    if "--lint" in arguments:
        steps = [("format", check("cargo", "fmt", "--all", "--check")),
                 ("clippy", check("cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings")),
                 *steps]
    passed = failed = 0
    for name, step in steps:
        print(f"== {name}", flush=True)
        began = time.monotonic()
        good, bad = step()
        print(f"== {name}: {good} ok, {bad} not, in {time.monotonic() - began:.0f} s", flush=True)
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def run(*command: str) -> tuple[list[str], int]:
    """Runs a command and shows its output as it comes. Returns the output's lines and the exit status."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    return lines, process.wait()


def rust_tests() -> tuple[int, int]:
    lines, status = run("cargo", "test", "--workspace", "--locked", "--no-fail-fast")
    results = [RUST_RESULT.match(line) for line in lines]
    passed = sum(int(result[1]) for result in results if result)
    failed = sum(int(result[2]) for result in results if result)
    # A test binary that does not compile, or dies, reports no result.
    return passed, failed or int(status != 0)


def python_tests() -> tuple[int, int]:
    lines, status = run(sys.executable, "-m", "unittest", "discover", "-s", "tests/local_aws")
    ran = sum(int(match[1]) for line in lines if (match := PYTHON_RAN.match(line)))
    failed = sum(int(number) for number in PYTHON_FAILED.findall(lines[-1] if lines else ""))
    failed = failed or int(status != 0)
    return max(ran - failed, 0), failed


def check(*command: str):
    def step() -> tuple[int, int]:
        _, status = run(*command)
        return int(status == 0), int(status != 0)
    return step


if __name__ == "__main__":
    os.environ.setdefault("CARGO_TERM_COLOR", "never")
    sys.exit(main(sys.argv[1:]))
