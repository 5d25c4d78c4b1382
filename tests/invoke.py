"""Runs one step on its own with cargo-lambda, against a local AWS.

    python tests/invoke.py STEP            (make invoke STEP=validate)
    python tests/invoke.py --record        writes tests/events anew from a real deploy

The event is tests/events/<step>.json. What differs from run to run stands there as `${path}`, a path into what the
state machine would hand over, such as `${template.version_id}`; `${now}` is the time. So the local AWS first gets
Fenrir installed, and the steps before this one are run.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EVENTS = ROOT / "tests" / "events"
sys.path.insert(0, str(ROOT / "tests" / "local_aws"))
import install  # noqa: E402
import local_aws  # noqa: E402

# The steps before each, in the order of the state machine. A step that polls is run until there is nothing to wait for.
MADE = ["validate", "lock", "create-changeset"]
EXECUTED = [*MADE, "wait-changeset", "execute"]
BEFORE = {
    "validate": [],
    "lock": MADE[:1],
    "create-changeset": MADE[:2],
    "wait-changeset": MADE,
    "execute": [*MADE, "wait-changeset"],
    "wait-execute": EXECUTED,
    "cleanup": MADE,
    "release-lock": [*EXECUTED, "wait-execute"],
    # No state of the machine: the stream of the releases table hands it what changed.
    "herald": [],
}
# Seconds for one step. A Lambda could take 15 minutes, a step on a local AWS does not.
PATIENCE = 120
# What a state holds that is another each time, by its path.
VOLATILE = re.compile(r"(version_id|sha256|arn|deadline|started_at|created_at)$")


def main(arguments: list[str]) -> int:
    if arguments == ["--record"]:
        return record()
    if len(arguments) != 1 or arguments[0] not in BEFORE:
        print(f"usage: make invoke STEP=<step>, where a step is one of {', '.join(BEFORE)}", file=sys.stderr)
        return 2
    with World() as world:
        state = world.run_before(arguments[0])
        event = filled(json.loads((EVENTS / f"{arguments[0]}.json").read_text()), state)
        return world.run_here(arguments[0], event)


class World:
    """A local AWS with Fenrir in it and a release to deploy."""

    def __enter__(self):
        self.lambdas = Path(os.environ["FENRIR_LAMBDAS"])
        self.aws = local_aws.LocalAws("--stack-seconds", "0", "--change-set-seconds", "0")
        print("installing Fenrir in a local AWS", file=sys.stderr)
        self.installed = install.install(self.aws.endpoint, self.lambdas)
        self.start = {"now": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}
        event = filled(json.loads((EVENTS / "validate.json").read_text()), self.start)
        self.upload(event["release"])
        return self

    def __exit__(self, *_):
        self.aws.stop()

    def upload(self, release: dict) -> None:
        """Stores the release as `fenrir deploy` does. Keys are those of fenrir_core::keys."""
        owner = "/".join([release["aws_account_id"], release["aws_region"], release["project_name"].replace("/", "!"),
                          release["config_name"]])
        self.aws.client("s3").put_object(Bucket=self.installed["bucket"], Key=f"{owner}/{release['release_id']}/release",
                                         Body=json.dumps(release).encode())

    def run_before(self, step: str) -> dict:
        """What the state machine would hand to `step`, made by running the steps before it in the local AWS."""
        state = self.start
        for number, earlier in enumerate(BEFORE[step]):
            print(f"running {earlier} in the local AWS", file=sys.stderr)
            event = filled(json.loads((EVENTS / "validate.json").read_text()), state) if number == 0 else state
            state = self.invoke(earlier, event)
            while is_waiting(earlier, state):
                time.sleep(0.2)
                state = self.invoke(earlier, state)
        return state

    def invoke(self, step: str, event: dict) -> dict:
        answer = self.aws.client("lambda").invoke(FunctionName=f"fenrir-{step}", Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise SystemExit(f"{step} failed: {payload.get('errorType')}: {payload.get('errorMessage')}")
        return payload

    def run_here(self, step: str, event: dict) -> int:
        """Runs the step's binary under cargo-lambda, with the rights and settings of its Lambda."""
        query = f"account={local_aws.ACCOUNT}&region={local_aws.REGION}&name=fenrir-{step}"
        context = self.aws.control(f"lambda?{query}")
        port = free_port()
        environment = {**os.environ, **context["environment"], **context["credentials"], "AWS_REGION": local_aws.REGION,
                       "AWS_ENDPOINT_URL": self.aws.endpoint, "AWS_LAMBDA_FUNCTION_NAME": f"fenrir-{step}",
                       "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                       "AWS_LAMBDA_LOG_GROUP_NAME": "local", "AWS_LAMBDA_LOG_STREAM_NAME": "local",
                       "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{port}/.rt/{step}"}
        cargo_lambda = [str(Path(sys.executable).with_name("cargo-lambda")), "lambda"]
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "event.json"
            data.write_text(json.dumps(event))
            watch = subprocess.Popen([*cargo_lambda, "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1",
                                      "--invoke-port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            process = None
            try:
                wait_for(port)
                process = subprocess.Popen([self.lambdas / step / "bootstrap"], env=environment, stdout=sys.stderr)
                print(f"running {step} here, with tests/events/{step}.json", file=sys.stderr)
                done = subprocess.run([*cargo_lambda, "invoke", step, "--invoke-address", "127.0.0.1", "--invoke-port", str(port),
                                       "--output-format", "json", "--data-file", str(data)], cwd=ROOT, check=False, timeout=PATIENCE)
                return done.returncode
            finally:
                for running in filter(None, [process, watch]):
                    running.terminate()
                    running.wait(10)


def is_waiting(step: str, state: dict) -> bool:
    """Whether the Choice after this step goes back to its Wait state."""
    if step == "wait-changeset":
        return state["change_set"]["status"] == "PENDING"
    return step == "wait-execute" and state["stack"]["progress"] == "IN_PROGRESS"


def filled(node, state: dict):
    """The event with each `${path}` replaced by what the state holds there."""
    if isinstance(node, dict):
        return {key: filled(value, state) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, state) for value in node]
    if isinstance(node, str) and (match := re.fullmatch(r"\$\{([\w.]+)\}", node)):
        for part in match[1].split("."):
            state = state[part]
        return state
    return node


def record() -> int:
    """Writes each step's event as the steps before it make it."""
    for step, before in BEFORE.items():
        if before:
            with World() as world:
                event = marked(world.run_before(step))
            (EVENTS / f"{step}.json").write_text(json.dumps(event, indent=2) + "\n")
    return 0


def marked(node, path: str = ""):
    """A state with a `${path}` for everything that is another each time."""
    if isinstance(node, dict):
        return {key: marked(value, f"{path}.{key}".strip(".")) for key, value in node.items()}
    if path != "execution.arn" and VOLATILE.search(path):
        return f"${{{path}}}"
    return node


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("cargo lambda watch did not start")


if __name__ == "__main__":
    os.environ.setdefault("FENRIR_LAMBDAS", str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "lambda-local"))
    sys.exit(main(sys.argv[1:]))
