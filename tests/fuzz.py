"""Fuzzes the loader and the judgement, and prints a table of what was run.

    python tests/fuzz.py [--runs N]

Needs a nightly toolchain; cargo-fuzz is installed into the build cache when it is missing. What a run finds is kept in
fuzz/artifacts, and what it learned in fuzz/corpus; neither is committed. A finding becomes an ordinary test: put its
input into crates/fenrir-core/tests/corpus.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[1]
FUZZ = ROOT / "fuzz"
CASES = ROOT / "crates/fenrir-core/tests/cases"
CORPUS = ROOT / "crates/fenrir-core/tests/corpus"
CACHE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "fuzz"
MEGABYTE = 1 << 20
# The code has no unsafe line, so an address sanitiser would only make it slower. 200 MB for one input is checked by the
# targets themselves; the limit here is for the fuzzer with its corpus.
LIMITS = ["-rss_limit_mb=2048", "-malloc_limit_mb=200", "-timeout=20", "-print_final_stats=1", "-verbosity=1"]
# What is run: the target, the largest input, its share of the runs. Inputs of a megabyte cost a thousand times more.
PHASES = [("load", MEGABYTE, 0.0001), ("judge", 4096, 0.1), ("load", 4096, 0.05), ("load", 256, 0.85)]
RUNS = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)
MEMORY = re.compile(r"^stat::peak_rss_mb:\s*(\d+)", re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(description="fuzzes the loader and the judgement")
    parser.add_argument("--runs", type=int, default=10_100_000, help="runs of all targets together")
    runs = parser.parse_args().runs
    cargo_fuzz = installed()
    build(cargo_fuzz)
    seed()
    rows = [phase(target, largest, max(int(runs * share), 1)) for target, largest, share in PHASES]
    print("\n| target | largest input | runs | minutes | peak memory of the fuzzer | findings |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print("| {} | {:,} bytes | {:,} | {:.1f} | {} MB | {} |".format(*row))
    return int(any(row[-1] for row in rows))


def installed() -> str:
    """The cargo-fuzz command."""
    if found := shutil.which("cargo-fuzz"):
        return found
    command = CACHE / "tools/bin/cargo-fuzz"
    if not command.exists():
        subprocess.run(["cargo", "install", "cargo-fuzz", "--locked", "--root", CACHE / "tools"], check=True)
    return str(command)


def build(cargo_fuzz: str) -> None:
    environment = {**os.environ, "RUSTUP_TOOLCHAIN": "nightly", "CARGO_TARGET_DIR": str(CACHE)}
    subprocess.run([cargo_fuzz, "build", "--sanitizer", "none", "--fuzz-dir", FUZZ], check=True, cwd=FUZZ, env=environment)


def seed() -> None:
    """The case files are where the fuzzer begins: as text for the loader, as JSON for the judgement."""
    for target in ("load", "judge"):
        folder = FUZZ / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted((CORPUS / target).iterdir()):
            shutil.copy(file, folder / file.name)
    for case in sorted(CASES.glob("*/*.yaml")):
        shutil.copy(case, FUZZ / "corpus/load" / case.name)
    for case in sorted(CASES.glob("accepted/*.yaml")):
        # The only value that is no JSON is a version that looks like a date.
        template = json.dumps(yaml_parse(case.read_text(encoding="utf-8")), default=str)
        (FUZZ / "corpus/judge" / f"{case.stem}.json").write_text(template, encoding="utf-8")


def phase(target: str, largest: int, runs: int) -> tuple:
    binary = next(CACHE.glob(f"*/release/{target}"))
    artifacts = FUZZ / "artifacts" / target
    artifacts.mkdir(parents=True, exist_ok=True)
    before = set(artifacts.iterdir())
    command = [binary, f"-runs={runs}", f"-max_len={largest}", f"-artifact_prefix={artifacts}/", *LIMITS, FUZZ / "corpus" / target]
    print(f"== {target}, {runs:,} runs of at most {largest:,} bytes", flush=True)
    began = time.monotonic()
    process = subprocess.run(command, cwd=FUZZ, stderr=subprocess.PIPE, text=True, errors="replace")
    minutes = (time.monotonic() - began) / 60
    print(process.stderr[-2000:] if process.returncode else process.stderr.rsplit("stat::", 8)[0][-200:], flush=True)
    done, memory = (int(match[1]) if (match := pattern.search(process.stderr)) else 0 for pattern in (RUNS, MEMORY))
    findings = len(set(artifacts.iterdir()) - before) or int(process.returncode != 0)
    return target, largest, done, minutes, memory, findings


if __name__ == "__main__":
    sys.exit(main())
