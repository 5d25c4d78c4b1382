"""The local AWS for Python: start it, call it, stop it."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

HERE = Path(__file__).parent
ACCOUNT = "111111111111"
REGION = "us-east-1"


class LocalAws:
    """A local AWS that lives as long as this object, or as this process."""

    def __init__(self, *arguments: str):
        self.process = subprocess.Popen([sys.executable, str(HERE), "--until-eof", *arguments],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the local AWS did not start")
        self.endpoint = json.loads(line)["endpoint"]
        self.log = json.loads(line)["log"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(20)

    def client(self, service: str, account: str = ACCOUNT, region: str = REGION, **session):
        """A client with the rights of the account's root, or with the `session` credentials given."""
        return client(self.endpoint, service, account, region, **session)

    def control(self, what: str, payload=None, method: str | None = None):
        """Calls /_fenrir/<what>: knobs, faults, calls."""
        data = None if payload is None else json.dumps(payload).encode()
        request = urllib.request.Request(f"{self.endpoint}/_fenrir/{what}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


def client(endpoint: str, service: str, account: str = ACCOUNT, region: str = REGION, **session):
    """A boto3 client of the local AWS at `endpoint`."""
    keys = session or {"aws_access_key_id": account, "aws_secret_access_key": "test"}
    return boto3.client(service, region_name=region, endpoint_url=endpoint,
                        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}), **keys)
