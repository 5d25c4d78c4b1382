"""The demo: Fenrir on a local AWS, from nothing to a deployed application, a second deploy, and a refusal.

    python tests/demo.py [--keep] [--stop]

With --keep the local AWS goes on running afterwards; --stop ends it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "local_aws"))

import install  # noqa: E402
import roles  # noqa: E402

LOCAL = ROOT / ".local"
STATE = LOCAL / "demo.json"
APPLICATION = ROOT / "examples" / "hello"
STEPS = 6
# Exit statuses of `fenrir deploy` (`fenrir --help`).
DEPLOYED, REFUSED = 0, 3


def main(arguments: list[str]) -> int:
    if "--stop" in arguments:
        print("stopped" if stop_kept() else "nothing is running")
        return 0
    keep = "--keep" in arguments
    stop_kept()
    began = time.monotonic()
    announce(1, "building the eight steps and the command (the first time this takes most of the time)")
    build()
    announce(2, "starting the local AWS, with IAM enforced, and installing Fenrir with `fenrir bootstrap`")
    process, endpoint = start_local_aws(keep)
    try:
        demonstrate(endpoint)
        print(f"\ndone in {time.monotonic() - began:.0f} s")
        say_how_to_go_on(endpoint, keep)
    except Failed as failed:
        print(f"the demo failed: {failed}", file=sys.stderr)
        return 1
    finally:
        if not keep:
            stop(process.pid)
    return 0


class Failed(Exception):
    """A step of the demo did not do what it should."""


def announce(number: int, what: str) -> None:
    print(f"\n[{number}/{STEPS}] {what}", flush=True)


def build() -> None:
    if subprocess.run(["make", "--no-print-directory", "lambdas"], cwd=ROOT, check=False).returncode:
        raise SystemExit("the build failed")


def command() -> Path:
    """The `fenrir` command, under its own name."""
    built = Path(os.environ["FENRIR_LAMBDAS"]) / "fenrir" / "bootstrap"
    link = LOCAL / "bin" / "fenrir"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(built)
    return link


def start_local_aws(keep: bool) -> tuple[subprocess.Popen, str]:
    LOCAL.mkdir(exist_ok=True)
    arguments = [sys.executable, str(ROOT / "tests" / "local_aws"), "--change-set-seconds", "0.5", "--stack-seconds", "0"]
    # When it is kept, it must outlive this process; otherwise it must not.
    process = subprocess.Popen(arguments if keep else [*arguments, "--until-eof"], stdout=subprocess.PIPE, text=True,
                               stdin=subprocess.DEVNULL if keep else subprocess.PIPE, start_new_session=keep)
    line = process.stdout.readline()
    if not line:
        raise SystemExit("the local AWS did not start")
    endpoint = json.loads(line)["endpoint"]
    STATE.write_text(json.dumps({"pid": process.pid, "endpoint": endpoint}))
    return process, endpoint


def demonstrate(endpoint: str) -> None:
    print("      $ fenrir bootstrap --yes", flush=True)
    installed = install.install(endpoint, Path(os.environ["FENRIR_LAMBDAS"]), said=None)
    control(endpoint, "knobs", {"stack_seconds": 0.4})
    # The role that the application names: whoever owns it tags it with who may use it.
    roles.create(endpoint, APPLICATION / "template.yml")
    environment = environment_of(endpoint, installed)

    announce(3, "fenrir package && fenrir deploy, in examples/hello")
    folder = Path(tempfile.mkdtemp(prefix="fenrir-demo-"))
    try:
        application = folder / "hello"
        shutil.copytree(APPLICATION, application, ignore=shutil.ignore_patterns(".fenrir"))
        fenrir(environment, application, "package")
        first = fenrir(environment, application, "deploy")

        announce(4, "calling the API that was deployed, and deploying the same again")
        call_api(endpoint, installed["account"], first)
        again = fenrir(environment, application, "deploy")
        if "no changes" not in again.lower():
            raise Failed("the second deploy did not say `no changes`")

        announce(5, "deploying broken.yml, which breaks some rules")
        fenrir(environment, application, "deploy", "--template", "broken.yml", wanted=REFUSED)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environment_of(endpoint: str, installed: dict) -> dict:
    """What a developer has in his shell: credentials, a region, and here an endpoint."""
    return {
        "PATH": f"{command().parent}:{os.environ['PATH']}",
        "HOME": str(LOCAL),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "TERM": os.environ.get("TERM", "dumb"),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": installed["region"],
        "AWS_ACCESS_KEY_ID": installed["account"],
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def fenrir(environment: dict, folder: Path, *arguments: str, wanted: int = DEPLOYED) -> str:
    """Runs the command as a developer would, showing what it says."""
    print(f"      $ fenrir {' '.join(arguments)}", flush=True)
    process = subprocess.Popen(["fenrir", *arguments], cwd=folder, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = []
    for line in process.stdout:
        print(f"      {line}", end="", flush=True)
        said.append(line)
    status = process.wait()
    if status != wanted:
        raise Failed(f"`fenrir {' '.join(arguments)}` ended with {status}, not {wanted}")
    return "".join(said)


def call_api(endpoint: str, account: str, said: str) -> None:
    """Calls the URL among the outputs; on the local AWS every API answers at the endpoint, by its id and stage."""
    marker = ".execute-api."
    url = next((word.strip("\"',") for word in said.split() if marker in word), None)
    if not url:
        raise Failed("no output of the stack is the API's URL")
    host, _, path = url.removeprefix("https://").partition("/")
    local = f"{endpoint}/_aws/execute-api/{host.split('.')[0]}/{path}"
    # AWS finds an API by its host; the local AWS looks for it in the account that asks, which an unsigned call does not
    # say. The API needs no authorization, so the name of the account is all that this header says.
    asks = {"Authorization": f"AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/execute-api/aws4_request, "
                             "SignedHeaders=host, Signature=none"}
    with urllib.request.urlopen(urllib.request.Request(local, headers=asks), timeout=30) as answer:
        body = answer.read().decode()
        print(f"      GET {url}\n      {answer.status} {body}", flush=True)


def control(endpoint: str, what: str, payload: dict) -> None:
    request = urllib.request.Request(f"{endpoint}/_fenrir/{what}", json.dumps(payload).encode())
    with urllib.request.urlopen(request, timeout=10):
        pass


def say_how_to_go_on(endpoint: str, keep: bool) -> None:
    announce(6, "how to go on")
    if not keep:
        print("      make demo KEEP=1        the same, and leaves it running for you to try more")
        return
    print(f"""      The local AWS runs at {endpoint}. In this shell:

      export AWS_ENDPOINT_URL={endpoint} AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=111111111111 AWS_SECRET_ACCESS_KEY=test
      export PATH={LOCAL / 'bin'}:$PATH
      (cd {APPLICATION} && fenrir deploy)

      {sys.executable} {ROOT / 'tests' / 'history.py'}      the executions and the states they entered
      make -C {ROOT} stop      end it""")


def stop_kept() -> bool:
    """Ends what an earlier run left running. Whether there was something."""
    try:
        pid = json.loads(STATE.read_text())["pid"]
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except (OSError, ValueError, KeyError):
        return False
    if str(ROOT / "tests" / "local_aws") not in arguments:
        return False
    stop(pid)
    STATE.unlink(missing_ok=True)
    return True


def stop(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    for _ in range(100):
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            if not Path(f"/proc/{pid}").exists():
                return
        time.sleep(0.1)


if __name__ == "__main__":
    os.environ.setdefault("CARGO_TARGET_DIR", str(ROOT / "target"))
    os.environ.setdefault("FENRIR_LAMBDAS", str(Path(os.environ["CARGO_TARGET_DIR"]) / "lambda-local"))
    sys.exit(main(sys.argv[1:]))
