"""Deploys every accepted case, as rewritten, on the local AWS.

    .venv/bin/python crates/fenrir-core/tests/deploys.py [CASE ...]

What cases/world.json says exists is made there first, and stands in the template under the ids that it then has.
A case that does not deploy is printed with the stack's own reason. Exit status 0 when all deploy but those that cannot.
"""

import functools
import io
import json
import sys
import time
import urllib.request
import zipfile
from collections import Counter
from pathlib import Path

from botocore.exceptions import ClientError

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests" / "local_aws"))
import local_aws  # noqa: E402

CASES = HERE / "cases"
FOLDERS = ["accepted", "projects"]
WORLD = json.loads((HERE / "cases" / "world.json").read_text())
ACCOUNT, REGION = WORLD["account"], WORLD["region"]
# Seconds for one stack operation, on a machine that is busy with something else.
WITHIN = 60

# What the local AWS cannot deploy: a case of which the SAM transform makes one of these types must fail for it.
NO_CODE_DEPLOY = "MiniStack has no CodeDeploy"
NO_MACHINE_VERSIONS = "MiniStack has no versions of state machines in CloudFormation"
TYPES_NOT_DEPLOYED = {
    "AWS::CodeDeploy::Application": NO_CODE_DEPLOY,
    "AWS::CodeDeploy::DeploymentGroup": NO_CODE_DEPLOY,
    "AWS::StepFunctions::StateMachineAlias": NO_MACHINE_VERSIONS,
    "AWS::StepFunctions::StateMachineVersion": NO_MACHINE_VERSIONS,
}

# Cases that cannot be deployed for another reason, with a part of the stack's own: they must fail with that.
CASES_NOT_DEPLOYED = {
    "alarm-of-a-query": "MetricName and Namespace are required",
    # As on AWS: S3 asks the queue, and Fenrir writes no policies of queues and topics yet.
    "bucket-everything": "Unable to validate the following destination configurations",
}


class Refused(Exception):
    """The local AWS did not deploy a case, and says why."""


def main(arguments: list[str]) -> int:
    cases = sorted(case for folder in FOLDERS for case in (CASES / folder).glob("*.yaml"))
    cases = [case for case in cases if not arguments or case.stem in arguments]
    deployed = listed = 0
    failures = []
    with local_aws.LocalAws("--stack-seconds", "0", "--change-set-seconds", "0", "--region", REGION) as aws:
        world = World(aws)
        for case in cases:
            reasons = reasons_not_to_deploy(case)
            try:
                deploy_alone(aws, world, case)
                refused = ""
            except Refused as refusal:
                refused = str(refusal)
            if refused and any(reason in refused for reason in reasons):
                listed += 1
            elif refused:
                failures.append(f"{case.name}: {refused}")
            elif reasons:
                failures.append(f"{case.name}: deploys in spite of `{reasons[0]}`: take that from the list")
            else:
                deployed += 1
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{deployed} of {len(cases)} cases deployed, {listed} are listed as not deployable, {len(failures)} failures")
    return 1 if failures else 0


def reasons_not_to_deploy(case: Path) -> list[str]:
    """What the stack of a case must say when it fails; nothing when it must not fail."""
    reasons = [kind for kind in types_of(case) if kind in TYPES_NOT_DEPLOYED]
    return reasons + [CASES_NOT_DEPLOYED[name] for name in [case.stem] if name in CASES_NOT_DEPLOYED]


def types_of(case: Path) -> Counter:
    """How many resources of each type the SAM transform makes of a case."""
    processed = json.loads(case.with_suffix(".processed.json").read_text(encoding="utf-8"))
    return Counter(resource["Type"] for resource in processed["Resources"].values())


def deploy_alone(aws: local_aws.LocalAws, world: "World", case: Path) -> None:
    """Deploys a case where nothing of another one was left: names belong to a project, and data is kept."""
    request = urllib.request.Request(f"{aws.endpoint}/_ministack/reset", b"", method="POST")
    urllib.request.urlopen(request, timeout=WITHIN).close()
    template = case.with_suffix(".json").read_text(encoding="utf-8")
    for written, real in world.make(template).items():
        template = template.replace(written, real)
    stack = Stack(world.client("cloudformation"))
    stack.create(template)
    made = stack.types()
    if made != types_of(case):
        raise Refused(f"has other resources than the transform makes: {made - types_of(case)}, not {types_of(case) - made}")
    stack.delete()


class Stack:
    """The one stack of a case."""

    NAME = "case"

    def __init__(self, cloudformation):
        self.cloudformation = cloudformation

    def create(self, template: str) -> None:
        try:
            self.cloudformation.create_change_set(
                StackName=self.NAME, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template,
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"])
            change_set = self.until(self.change_set, "CREATE_COMPLETE", "FAILED")
            if change_set["Status"] == "FAILED":
                raise Refused(change_set.get("StatusReason", "the change set failed"))
            self.cloudformation.execute_change_set(StackName=self.NAME, ChangeSetName="first")
        except ClientError as error:
            raise Refused(error) from error
        stack = self.until(self.stack, "CREATE_COMPLETE", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
        if stack["Status"] != "CREATE_COMPLETE":
            raise Refused(self.reason())

    def delete(self) -> None:
        stack = self.stack()["StackId"]
        self.cloudformation.delete_stack(StackName=self.NAME)
        gone = self.until(lambda: self.stack(stack), "DELETE_COMPLETE", "DELETE_FAILED")
        if gone["Status"] != "DELETE_COMPLETE":
            raise Refused(f"cannot be deleted: {self.reason(stack)}")

    def types(self) -> Counter:
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.NAME)
        resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return Counter(resource["ResourceType"] for resource in resources if resource["ResourceStatus"] == "CREATE_COMPLETE")

    def change_set(self) -> dict:
        return self.cloudformation.describe_change_set(StackName=self.NAME, ChangeSetName="first")

    def stack(self, name: str = NAME) -> dict:
        stack = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return {**stack, "Status": stack["StackStatus"]}

    def until(self, describe, *ends: str) -> dict:
        limit = time.monotonic() + WITHIN
        while (found := describe())["Status"] not in ends:
            if time.monotonic() > limit:
                raise Refused(f"still {found['Status']} after {WITHIN} seconds")
            time.sleep(0.01)
        return found

    def reason(self, name: str = NAME) -> str:
        """What failed first."""
        events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        first = min(failed or events, key=lambda event: event["Timestamp"])
        return f"{first['LogicalResourceId']} ({first['ResourceType']}): {first.get('ResourceStatusReason')}"


class World:
    """What exists before anything is deployed, as far as a template names it."""

    def __init__(self, aws: local_aws.LocalAws):
        self.client = functools.cache(lambda service: aws.client(service, ACCOUNT, REGION))

    def make(self, template: str) -> dict[str, str]:
        """Makes it. Returns what to write for what the world says, where AWS chooses the id."""
        self.roles()
        return self.objects(template) | self.network(template) | self.tagged(template)

    def roles(self) -> None:
        iam = self.client("iam")
        iam.create_policy(PolicyName="fenrir-permissions-boundary", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
        services = [f"{name}.amazonaws.com" for name in ("lambda", "states", "scheduler", "codedeploy")]
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}]}
        for role in WORLD["roles"]:
            path, _, name = role["arn"].split(":role/")[1].rpartition("/")
            # A name is taken once, whatever the path.
            if not path:
                iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))

    def objects(self, template: str) -> dict[str, str]:
        """Artifacts, each under the version that S3 gives it."""
        s3 = self.client("s3")
        versions = {}
        named = [uri for uri, artifact in WORLD["artifacts"].items() if f'"{artifact["version_id"]}"' in template]
        for bucket in {uri.split("/")[2] for uri in named}:
            self.make_s3(s3, bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for uri in named:
            artifact = WORLD["artifacts"][uri]
            bucket, key = uri.removeprefix("s3://").split("/", 1)
            version = s3.put_object(Bucket=bucket, Key=key, Body=zipped())["VersionId"]
            versions[f'"{artifact["version_id"]}"'] = f'"{version}"'
        return versions

    def network(self, template: str) -> dict[str, str]:
        ec2 = self.client("ec2")
        ids = {}
        if not any(thing["vpc_id"] in template or thing["id"] in template for thing in WORLD["subnets"] + WORLD["security_groups"]):
            return ids
        vpcs = sorted({thing["vpc_id"] for thing in WORLD["subnets"] + WORLD["security_groups"]})
        for number, vpc in enumerate(vpcs):
            ids[vpc] = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
        for number, subnet in enumerate(WORLD["subnets"]):
            made = ec2.create_subnet(VpcId=ids[subnet["vpc_id"]], CidrBlock=f"10.0.{number}.0/24",
                                     AvailabilityZone=f"{REGION}{'abc'[number % 3]}")
            ids[subnet["id"]] = made["Subnet"]["SubnetId"]
        for group in WORLD["security_groups"]:
            made = ec2.create_security_group(GroupName=group["id"], Description=group["id"], VpcId=ids[group["vpc_id"]])
            ids[group["id"]] = made["GroupId"]
        return ids

    def tagged(self, template: str) -> dict[str, str]:
        """What is owned by its tags. The rewritten template names keys by their ARN, so aliases are not needed."""
        ids = {}
        for resource in WORLD["resources"]:
            service, name = resource["arn"].split(":", 5)[2::3]
            name = name.removeprefix(PREFIXES.get(service, ""))
            if name in template:
                make = getattr(self, "make_" + service.replace("-", "_"))
                ids |= make(self.client(service), name) or {}
        return ids

    def make_sqs(self, sqs, name):
        sqs.create_queue(QueueName=name)

    def make_sns(self, sns, name):
        sns.create_topic(Name=name)

    def make_kinesis(self, kinesis, name):
        kinesis.create_stream(StreamName=name, ShardCount=1)
        stream = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
        consumer = kinesis.register_stream_consumer(StreamARN=stream, ConsumerName="fast")["Consumer"]["ConsumerARN"]
        return {f"{stream}/consumer/fast:1767225600": consumer}

    def make_dynamodb(self, dynamodb, name):
        table = dynamodb.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})["TableDescription"]
        return {f"{table['TableArn']}/stream/2026-01-01T00:00:00.000": table["LatestStreamArn"]}

    def make_logs(self, logs, name):
        logs.create_log_group(logGroupName=name)

    def make_events(self, events, name):
        events.create_event_bus(Name=name)

    def make_s3(self, s3, name):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def make_lambda(self, functions, name):
        functions.create_function(FunctionName=name, Runtime="provided.al2023", Handler="bootstrap",
                                  Role=WORLD["roles"][0]["arn"], Code={"ZipFile": zipped()})

    def make_kms(self, kms, name):
        return {name: kms.create_key()["KeyMetadata"]["KeyId"]}

    def make_cognito_idp(self, cognito, name):
        return {name: cognito.create_user_pool(PoolName="own")["UserPool"]["Id"]}

    def make_secretsmanager(self, secrets, name):
        arn = secrets.create_secret(Name=name.rpartition("-")[0], SecretString="x")["ARN"]
        return {name: arn.rpartition(":")[2]}

    def make_ssm(self, ssm, name):
        ssm.put_parameter(Name=name, Value="x", Type="String")

    def make_scheduler(self, scheduler, name):
        scheduler.create_schedule_group(Name=name)

    def make_acm(self, acm, name):
        arn = acm.request_certificate(DomainName="example.com")["CertificateArn"]
        return {name: arn.rpartition("/")[2]}


# What stands before the name in the last part of an ARN.
PREFIXES = {
    "kinesis": "stream/", "dynamodb": "table/", "logs": "log-group:", "events": "event-bus/", "lambda": "function:", "kms": "key/",
    "cognito-idp": "userpool/", "secretsmanager": "secret:", "ssm": "parameter", "scheduler": "schedule-group/",
    "acm": "certificate/",
}


def zipped() -> bytes:
    """A zip as a function or a layer takes it; its function is never called."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\n")
    return data.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
