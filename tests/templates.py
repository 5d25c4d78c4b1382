"""Checks Fenrir's own CloudFormation templates without AWS: cfn-lint as they are, and again after the SAM transform.

The policies of docs/install.md are linted too: cfn-lint knows every action of IAM.
Exit status 0 when all are clean. Runs from .venv, which has aws-sam-translator and cfn-lint.
Other templates (examples, rewritten applications) can be named as arguments instead.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
CFN_LINT = Path(sys.executable).with_name("cfn-lint")
PAGE = "docs/install.md"
TEMPLATES = ["template.yml", "account.yml", "region.yml", "examples/full/outside.yml"]

# The translator asks boto3 for a region, and takes it from here.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

# Local paths that `fenrir bootstrap` or `aws cloudformation package` replace before CloudFormation sees them.
PACKAGED = {"CodeUri", "ContentUri", "DefinitionUri"}


def packaged(node):
    """The template as it is after packaging: what was a local path names an object."""
    if isinstance(node, dict):
        return {key: upload(key, value) for key, value in node.items()}
    if isinstance(node, list):
        return [packaged(value) for value in node]
    return node


def upload(key, value):
    if key in PACKAGED and isinstance(value, str) and not value.startswith("s3://"):
        return "s3://bucket/" + value.strip("./").replace("/", "-")
    return packaged(value)


def lint(path):
    """Whether cfn-lint finds nothing; what it finds goes to the terminal."""
    return subprocess.run([CFN_LINT, "--", str(path)], check=False).returncode == 0


def lint_transformed(path, folder):
    template = yaml_parse(path.read_text(encoding="utf-8"))
    if "AWS::Serverless-2016-10-31" not in str(template.get("Transform", "")):
        return True
    # The second argument would be parameter values; as in CloudFormation before a value is given, there are none.
    processed = transform(packaged(template), {}, SimpleNamespace(load=dict))
    target = Path(folder) / (path.stem + ".processed.json")
    target.write_text(json.dumps(processed, indent=1), encoding="utf-8")
    return lint(target)


def lint_policies(path, folder):
    """Lints the JSON blocks of a page, each as a managed policy: nothing else in it can be wrong."""
    blocks = re.findall(r"```json\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    policies = {f"Policy{number}": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": json.loads(block)}}
                for number, block in enumerate(blocks, 1)}
    target = Path(folder) / "policies.json"
    target.write_text(json.dumps({"Resources": policies}, indent=1), encoding="utf-8")
    return bool(policies) and lint(target)


def main(arguments):
    paths = [Path(argument).resolve() for argument in arguments] or [ROOT / name for name in TEMPLATES]
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            if not lint(path):
                failed.append(f"{path.name} as it is")
            if not lint_transformed(path, folder):
                failed.append(f"{path.name} after the SAM transform")
        if not arguments and not lint_policies(ROOT / PAGE, folder):
            failed.append(f"a policy in {PAGE}")
    for name in failed:
        print(f"cfn-lint has something to say about {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
