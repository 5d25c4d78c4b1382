"""Starts the local AWS and keeps it until it is told to stop.

    python tests/local_aws [--port N] [--until-eof] ...

Prints one line of JSON when it is ready: {"endpoint": ..., "port": ..., "pid": ..., "log": ...}. It stops on SIGINT and
SIGTERM and, with --until-eof, when its standard input closes, so that it never outlives whoever started it, however
that one ends. Any number may run at once: each has its own port, its own folder and its own processes.
"""

import argparse
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

SERVER = Path(__file__).with_name("server.py")
HOST = "127.0.0.1"
# Seconds. Starting takes half a second on an idle machine; a machine that compiles at the same time is slow.
READY_WITHIN = 120
# Seconds between the polite and the impolite way to stop.
GRACE = 5
PORTS = range(20_000, 30_000)


def main() -> int:
    options = parse(sys.argv[1:])
    folder = Path(options.folder or tempfile.mkdtemp(prefix="fenrir-local-aws-"))
    folder.mkdir(parents=True, exist_ok=True)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    port, _lock = (options.port, None) if options.port else free_port()
    process = start(port, folder, options)
    try:
        if not wait_until_ready(process, port, stopped):
            print((folder / "log").read_text(errors="replace")[-4000:], file=sys.stderr)
            print("the local AWS did not start", file=sys.stderr)
            return 1
        ready = {"endpoint": f"http://{HOST}:{port}", "port": port, "pid": process.pid, "log": str(folder / "log")}
        print(json.dumps(ready), flush=True)
        if options.until_eof:
            threading.Thread(target=wait_for_eof, args=(stopped,), daemon=True).start()
        while process.poll() is None and not stopped.wait(0.2):
            pass
        return 0 if stopped.is_set() else 1
    finally:
        stop(process)
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/local_aws", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=int(os.environ.get("GATEWAY_PORT", "0")),
                        help="port on 127.0.0.1; a free one if not given")
    parser.add_argument("--region", default="us-east-1", help="home region")
    parser.add_argument("--wait-scale", type=float, default=0.1,
                        help="what a second of a Wait state and of a retry pause lasts, in seconds")
    parser.add_argument("--stack-seconds", type=float, default=0.3,
                        help="how long CloudFormation takes before each stack operation is done")
    parser.add_argument("--change-set-seconds", type=float, default=0.3,
                        help="how long CloudFormation takes to make a change set")
    parser.add_argument("--folder", help="where logs and data go, kept afterwards; a temporary one if not given")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input closes")
    return parser.parse_args(arguments)


def free_port() -> tuple[int, IO]:
    """A free port, and the lock that keeps other launchers off it until the file is closed.

    Between the look at a port and the server's own bind, another launcher could take the same one: two tests would share
    a server. The ports lie below those that Linux gives to outgoing connections (32768 and up), of which there are many.
    """
    locks = Path(tempfile.gettempdir()) / f"fenrir-ports-{os.getuid()}"
    locks.mkdir(exist_ok=True)
    for port in random.sample(PORTS, len(PORTS)):
        lock = open(locks / str(port), "w")  # noqa: SIM115
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                # What a stopped server left in TIME_WAIT is no reason not to start.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, port))
            return port, lock
        except OSError:
            lock.close()
    raise SystemExit(f"no port of {PORTS.start} to {PORTS.stop - 1} is free on {HOST}")


def start(port: int, folder: Path, options: argparse.Namespace) -> subprocess.Popen:
    """The server, with an environment of its own: its Lambdas inherit all of it."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TMPDIR": str(temporary),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": options.region,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "0",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SFN_WAIT_SCALE": str(options.wait_scale),
        "AUTH": "true",
        "FENRIR_KNOBS": json.dumps({
            "stack_seconds": options.stack_seconds,
            "change_set_seconds": options.change_set_seconds,
        }),
    }
    with open(folder / "log", "wb") as log:
        # A session of its own: its Lambdas are stopped with it, and Ctrl-C reaches this launcher alone.
        return subprocess.Popen([sys.executable, str(SERVER)], env=environment, cwd=folder, stdin=subprocess.PIPE,
                                stdout=log, stderr=log, start_new_session=True)


def wait_until_ready(process: subprocess.Popen, port: int, stopped: threading.Event) -> bool:
    limit = time.monotonic() + READY_WITHIN
    while time.monotonic() < limit and process.poll() is None and not stopped.is_set():
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/_ministack/ready", timeout=2) as answer:
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.05)
    return False


def wait_for_eof(stopped: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    stopped.set()


def stop(process: subprocess.Popen) -> None:
    """Asks, then tells, then kills the process and every Lambda it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                continue
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


if __name__ == "__main__":
    sys.exit(main())
