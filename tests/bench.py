"""Measures what the benchmark of fenrir-core does not: the step Lambdas, and a deploy of examples/hello.

    python tests/bench.py

Prints a table beside the figures of the deployer that Fenrir succeeds (2018-2020, in Go) and beside our aims.
"""

import http.server
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "local_aws")]
import demo  # noqa: E402
import install  # noqa: E402
import local_aws  # noqa: E402
import roles  # noqa: E402

STEPS = ["validate", "lock", "create-changeset", "wait-changeset", "execute", "wait-execute", "cleanup", "release-lock"]
# Spawns of each step; the table shows the median.
SPAWNS = 10
MIB = 1 << 20


def main() -> int:
    lambdas = Path(os.environ["FENRIR_LAMBDAS"])
    rows = core_rows(Path(os.environ["CARGO_TARGET_DIR"]) / "criterion")
    for step in STEPS:
        binary = lambdas / step / "bootstrap"
        aim = "4.0" if step == "validate" else "2.5"
        rows.append((f"{step}: zip, MiB", f"{zipped(binary) / MIB:.2f}", "17.2", f"<= {aim}"))
        cpu, wall, memory = spawn_to_next(step, binary)
        rows.append((f"{step}: spawn to next, CPU ms (wall ms)", f"{cpu:.0f} ({wall:.0f})", "8", "<= 8"))
        rows.append((f"{step}: idle memory, MiB", f"{memory:.1f}", "20", "<= 10"))
    rows += deploy_rows()
    waiting = waiting_rows()
    half_an_hour = next(row for row in waiting if row[0] == "30 min")
    rows.append(("a stack of 30 minutes: states entered", half_an_hour[3], "1,090", "<= 150"))
    show([("", "Fenrir", "2018-2020", "aim"), *rows])
    print()
    show(waiting)
    return 0


def core_rows(folder: Path) -> list[tuple]:
    """What criterion measured last, by its estimates."""
    rows = []
    known = {"hello": ("170 ms", "<= 1 ms"), "100": ("1,215 ms", "<= 8 ms"), "400": ("4,785 ms", "<= 30 ms")}
    for estimates in sorted(folder.glob("**/new/estimates.json")):
        name = "/".join(estimates.relative_to(folder).parts[:-2])
        mean = json.loads(estimates.read_text())["mean"]["point_estimate"] / 1e6
        before, aim = next((figures for key, figures in known.items() if key in name), ("", ""))
        rows.append((f"core: {name}", f"{mean:.2f} ms", before, aim))
    return rows


class RuntimeApi(http.server.BaseHTTPRequestHandler):
    """A Lambda runtime API that has nothing to do: it notes when it is asked, and never answers."""

    asked: threading.Event

    def do_GET(self):  # noqa: N802
        type(self).asked.set()
        time.sleep(60)

    def log_message(self, *_):
        pass


def spawn_to_next(step: str, binary: Path) -> tuple[float, float, float]:
    """Milliseconds of CPU and of the clock from spawn until the runtime asks for work, and MiB resident then."""
    measured = [spawn_once(step, binary) for _ in range(SPAWNS)]
    cpu, wall, memory = (statistics.median(values) for values in zip(*measured))
    return cpu, wall, memory


def spawn_once(step: str, binary: Path) -> tuple[float, float, float]:
    RuntimeApi.asked = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}", "AWS_LAMBDA_FUNCTION_NAME": f"fenrir-{step}",
        "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_LOG_GROUP_NAME": "g",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s", "AWS_REGION": local_aws.REGION, "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s", "AWS_EC2_METADATA_DISABLED": "true", "FENRIR_STATE_MACHINE": "arn", "FENRIR_ALERT_TOPIC": "arn",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen([binary], env=environment, stdout=subprocess.DEVNULL)
    try:
        if not RuntimeApi.asked.wait(10):
            raise SystemExit(f"{step} never asked for work")
        wall = time.perf_counter() - began
        status = Path(f"/proc/{process.pid}/status").read_text()
        memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
    finally:
        process.kill()
        process.wait()
        server.shutdown()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu * 1000, wall * 1000, memory


def zipped(binary: Path) -> int:
    """Bytes of the zip that `fenrir bootstrap` makes of a step, which packs as hard."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(binary, "bootstrap")
    return buffer.getbuffer().nbytes


def deploy_rows() -> list[tuple]:
    """AWS calls and states entered for the first deploy of examples/hello, without what polling again adds."""
    with local_aws.LocalAws("--stack-seconds", "0", "--change-set-seconds", "0") as aws:
        made = install.install(aws.endpoint, Path(os.environ["FENRIR_LAMBDAS"]))
        roles.create(aws.endpoint, demo.APPLICATION / "template.yml")
        aws.control("calls", method="DELETE")
        environment = demo.environment_of(aws.endpoint, made)
        subprocess.run(["fenrir", "deploy"], cwd=demo.APPLICATION, env=environment, check=True, stdout=subprocess.DEVNULL)
        # The steps call with a session's key, the command with its account's.
        calls = Counter(call["action"] for call in aws.control("calls") if call["access_key"].startswith("ASIA")
                        # The herald is no step: a deploy does not wait for it.
                        and call["action"] != "events:PutEvents")
        machines = aws.client("stepfunctions")
        execution = machines.list_executions(stateMachineArn=made["state_machine"])["executions"][0]["executionArn"]
        pages = machines.get_paginator("get_execution_history").paginate(executionArn=execution)
        states = sum("stateEnteredEventDetails" in event for page in pages for event in page["events"])
    for action, count in sorted(calls.items()):
        print(f"  {count:3} {action}", file=sys.stderr)
    assumed = calls["sts:AssumeRole"]
    return [
        ("hello: AWS calls of the steps", str(sum(calls.values())), "30", "<= 24"),
        ("hello: of these AssumeRole", str(assumed), "7", "one per step"),
        ("hello: states entered", str(states), "", ""),
    ]


def waiting_rows() -> list[tuple]:
    """What waiting costs, as tests/waits/pace.rs computes it on the real state machine and writes it down."""
    lines = (ROOT / "docs" / "benchmarks.md").read_text().partition("tests/waits/pace.rs:")[2].partition("<!-- End")[0].splitlines()
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line.startswith("| ")]
    assert len(rows) == 5, rows
    return rows


def show(table: list[tuple]) -> None:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for number, row in enumerate(table):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


if __name__ == "__main__":
    os.environ.setdefault("CARGO_TARGET_DIR", str(ROOT / "target"))
    os.environ.setdefault("FENRIR_LAMBDAS", str(Path(os.environ["CARGO_TARGET_DIR"]) / "lambda-bench"))
    sys.exit(main())
