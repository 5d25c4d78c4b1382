"""The roles that an example names: an administrator of an account makes them, and their tags say who may use them.

    python tests/local_aws/roles.py ENDPOINT TEMPLATE
"""

import json
import sys
from pathlib import Path

import local_aws
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
MAY_LOG = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}]}


def create(endpoint: str, template: Path, account: str = local_aws.ACCOUNT) -> list[str]:
    """Creates every role that a function of `template` names, tagged for its project, config and function."""
    document = yaml_parse(template.read_text())
    iam = local_aws.client(endpoint, "iam", account)
    names = []
    for logical_id, resource in document["Resources"].items():
        name = resource.get("Properties", {}).get("Role")
        if not isinstance(name, str):
            continue
        tags = {"ProjectName": document["ProjectName"], "ConfigName": document["ConfigName"], "ServiceName": logical_id}
        try:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST),
                            Tags=[{"Key": key, "Value": str(value)} for key, value in tags.items()])
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityAlreadyExists":
                raise
        iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=json.dumps(MAY_LOG))
        names.append(name)
    return names


if __name__ == "__main__":
    create(sys.argv[1], Path(sys.argv[2]))
