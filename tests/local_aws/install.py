"""Installs Fenrir with the command that was built beside the steps, as an administrator of a company would."""

import os
import subprocess
from pathlib import Path

import local_aws


def install(endpoint: str, lambdas: Path, said: int | None = subprocess.DEVNULL) -> dict:
    """`fenrir bootstrap` in the account and region of `local_aws`; what it made. What it says goes to `said`."""
    arguments = ["bootstrap", "--yes", "--quiet", "--lambdas", lambdas, "--parameter", "DeletionProtection=false"]
    environment = {
        "PATH": os.defpath,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": local_aws.REGION,
        "AWS_ACCESS_KEY_ID": local_aws.ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run([lambdas / "fenrir" / "bootstrap", *arguments], env=environment, check=False, stdout=said)
    if done.returncode:
        raise SystemExit("Fenrir could not be installed")
    account, region = local_aws.ACCOUNT, local_aws.REGION
    return {
        "account": account,
        "region": region,
        "bucket": f"fenrir-{account}-{region}",
        "state_machine": f"arn:aws:states:{region}:{account}:stateMachine:fenrir",
    }
