"""Checks that every crate that Fenrir is made of has a licence that suits Apache-2.0.

Offline: what cargo knows. Advisories are checked too where cargo-deny is installed and has its database.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# SPDX identifiers. Permissive ones; MPL-2.0 binds only the files it stands in.
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CDLA-Permissive-2.0", "ISC",
    "LLVM-exception", "MIT", "MIT-0", "MPL-2.0", "OpenSSL", "PSF-2.0", "Unicode-3.0", "Unlicense", "Zlib",
}


def main() -> int:
    problems = sorted(crates())
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems or not advisories() else 0


def crates() -> list[str]:
    """The crates whose licence is not allowed."""
    # Of this platform: the crates of others are not downloaded otherwise.
    host = re.search(r"^host: (.*)$", output_of("rustc", "-vV"), re.MULTILINE)[1]
    output = output_of("cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", host)
    return [f"crate {package['name']} {package['version']}: licence {package['license'] or 'unknown'} is not on the list"
            for package in json.loads(output)["packages"] if not is_allowed(package["license"] or "")]


def output_of(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met. The old `A/B` means `A OR B`; parentheses do not nest in practice."""
    expression = expression.replace("/", " OR ")
    while (inner := re.search(r"\(([^()]*)\)", expression)):
        verdict = "MIT" if is_allowed(inner[1]) else "none"
        expression = expression[:inner.start()] + verdict + expression[inner.end():]
    return any(all(term.strip() in ALLOWED for term in re.split(r" AND | WITH ", choice)) for choice in expression.split(" OR "))


def advisories() -> bool:
    """Whether no advisory is known; where nothing can tell, so it says."""
    if not shutil.which("cargo-deny"):
        print("advisories not checked: cargo-deny is not installed")
        return True
    return subprocess.run(["cargo", "deny", "--offline", "check", "advisories"], cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
