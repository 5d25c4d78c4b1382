"""Installs Fenrir from its own templates, through CloudFormation, as a company would.

    python tests/local_aws/install.py --endpoint URL --lambdas FOLDER [--account ID] [--region R] [--target ID ...]

Packages the step functions, deploys template.yml into the deployer's account, region.yml into every further region of it
and account.yml into every account, and prints what it made as one line of JSON. Running it again updates what changed.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import sys
import time
import zipfile
from pathlib import Path

import local_aws
from botocore.exceptions import ClientError

os.environ.setdefault("AWS_DEFAULT_REGION", local_aws.REGION)

from samtranslator.yaml_helper import yaml_parse  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
# Properties that name a local file or folder, which packaging replaces by an object in S3.
PACKAGED = ("CodeUri", "DefinitionUri")
# The date that every zip member gets, so that the same binary makes the same zip (zip's own epoch).
EPOCH = (1980, 1, 1, 0, 0, 0)
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    made = Installer(options.endpoint, options.account, options.region, Path(options.lambdas)).install(
        options.target or [options.account], options.allow_region or [options.region],
        options.closed_account, options.closed_region)
    print(json.dumps(made))
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", required=True, help="endpoint of the local AWS")
    parser.add_argument("--lambdas", required=True, help="folder with <step>/bootstrap, as cargo-lambda builds it")
    parser.add_argument("--account", default=local_aws.ACCOUNT, help="the deployer's account")
    parser.add_argument("--region", default=local_aws.REGION, help="the deployer's region")
    parser.add_argument("--target", action="append", help="account that may be deployed to; the deployer's own if none")
    parser.add_argument("--allow-region", action="append", help="region that may be deployed to; the deployer's own if none")
    parser.add_argument("--closed-account", action="append", default=[], help="account that may be deployed to and gets no stack")
    parser.add_argument("--closed-region", action="append", default=[], help="region that may be deployed to and gets no bucket")
    return parser.parse_args(arguments)


class Installer:
    def __init__(self, endpoint: str, account: str, region: str, lambdas: Path):
        self.endpoint, self.account, self.region, self.lambdas = endpoint, account, region, lambdas

    def client(self, service: str, account: str | None = None, region: str | None = None):
        return local_aws.client(self.endpoint, service, account or self.account, region or self.region)

    def install(self, targets: list[str], regions: list[str], closed_accounts: list[str] = (), closed_regions: list[str] = ()) -> dict:
        bucket = self.install_bucket(self.account, self.region)
        template = self.packaged(yaml_parse((ROOT / "template.yml").read_text()), bucket)
        parameters = {
            "Accounts": ",".join([*targets, *closed_accounts]),
            "Regions": ",".join([*regions, *closed_regions]),
            "Architecture": {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64"),
            "DeletionProtection": "false",
            "DeployerAccount": self.account,
        }
        self.deploy("fenrir", template, parameters, self.account, self.region)
        region_template = yaml_parse((ROOT / "region.yml").read_text())
        for region in regions:
            if region != self.region:
                self.deploy("fenrir-region", region_template, parameters, self.account, region)
        account_template = yaml_parse((ROOT / "account.yml").read_text())
        for target in targets:
            self.deploy("fenrir-account", account_template, parameters, target, self.region)
        return {
            "account": self.account,
            "region": self.region,
            "bucket": f"fenrir-{self.account}-{self.region}",
            "state_machine": f"arn:aws:states:{self.region}:{self.account}:stateMachine:fenrir",
        }

    def install_bucket(self, account: str, region: str) -> str:
        """Where code and templates of the installation lie: the deployer's own bucket does not exist before it does."""
        bucket = f"fenrir-install-{account}-{region}"
        # Source: Amazon S3 API, CreateBucket: us-east-1 is the one region that is not named.
        there = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self.client("s3", account, region).create_bucket(Bucket=bucket, **there)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise
        return bucket

    def packaged(self, node, bucket: str):
        """The template with every local path replaced by an object that holds it."""
        if isinstance(node, list):
            return [self.packaged(value, bucket) for value in node]
        if not isinstance(node, dict):
            return node
        return {key: self.upload(value, bucket) if key in PACKAGED and isinstance(value, str) else self.packaged(value, bucket)
                for key, value in node.items()}

    def upload(self, path: str, bucket: str) -> dict:
        data = self.read(path)
        key = hashlib.sha256(data).hexdigest()
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
        return {"Bucket": bucket, "Key": key}

    def read(self, path: str) -> bytes:
        """A file as it is, a step's folder as a zip. `target/lambda` is wherever the build put it."""
        built = Path(path)
        if built.parts[:2] == ("target", "lambda"):
            return zipped(self.lambdas.joinpath(*built.parts[2:]) / "bootstrap")
        return (ROOT / path).read_bytes()

    def deploy(self, stack: str, template: dict, parameters: dict, account: str, region: str) -> None:
        """Creates or updates a stack through a change set, and waits."""
        cloudformation = self.client("cloudformation", account, region)
        body = json.dumps(template, default=str)
        key = hashlib.sha256(body.encode()).hexdigest()
        bucket = self.install_bucket(account, region)
        self.client("s3", account, region).put_object(Bucket=bucket, Key=key, Body=body.encode())
        known = template.get("Parameters", {})
        change_set = cloudformation.create_change_set(
            StackName=stack, ChangeSetName=f"install-{time.time_ns()}", ChangeSetType=kind_of(cloudformation, stack),
            TemplateURL=f"https://{bucket}.s3.{region}.amazonaws.com/{key}", Capabilities=CAPABILITIES,
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items() if name in known])
        made = settled(lambda: cloudformation.describe_change_set(ChangeSetName=change_set["Id"]), "Status")
        if made["Status"] == "FAILED":
            if "didn't contain changes" in made["StatusReason"]:
                return
            raise SystemExit(f"the change set of stack {stack} failed: {made['StatusReason']}")
        cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        described = settled(lambda: cloudformation.describe_stacks(StackName=change_set["StackId"])["Stacks"][0], "StackStatus")
        if described["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            events = cloudformation.describe_stack_events(StackName=change_set["StackId"])["StackEvents"]
            reasons = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
                       for event in events if event["ResourceStatus"].endswith("FAILED")]
            raise SystemExit(f"stack {stack} ended in {described['StackStatus']}: {'; '.join(reasons)}")


def kind_of(cloudformation, stack: str) -> str:
    try:
        status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError:
        return "CREATE"
    return "CREATE" if status == "REVIEW_IN_PROGRESS" else "UPDATE"


def settled(describe, field: str) -> dict:
    """What `describe` returns once its status is final."""
    while True:
        found = describe()
        if not found[field].endswith(("_IN_PROGRESS", "_PENDING")):
            return found
        time.sleep(0.1)


def zipped(binary: Path, level: int = 1) -> bytes:
    """The zip of one binary: the same bytes for the same binary. To pack it hard takes seconds, which a local AWS would not
    give back."""
    if not binary.is_file():
        raise SystemExit(f"{binary} is not built: run `make lambdas`")
    member = zipfile.ZipInfo("bootstrap", EPOCH)
    member.external_attr = 0o755 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, binary.read_bytes(), compresslevel=level)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
