"""The local AWS is as strict as AWS where it matters: one test for each closed gap.

    python -m unittest discover -s tests/local_aws
"""

import io
import json
import tempfile
import threading
import time
import unittest
import zipfile
from pathlib import Path

from botocore.exceptions import ClientError
from local_aws import ACCOUNT, REGION, LocalAws

QUEUE = {"Type": "AWS::SQS::Queue"}
BAD_QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 99999}}
SAM = "AWS::Serverless-2016-10-31"


def template(resources: dict, **more) -> str:
    return json.dumps({"Resources": resources, **more})


class Gaps(unittest.TestCase):
    aws: LocalAws
    names = (f"stack-{number}" for number in range(1000))

    @classmethod
    def setUpClass(cls):
        cls.aws = LocalAws("--stack-seconds", "0.1", "--change-set-seconds", "0.2")
        cls.addClassCleanup(cls.aws.stop)
        cls.cloudformation = cls.aws.client("cloudformation")
        cls.s3 = cls.aws.client("s3")
        trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        cls.aws.client("iam").create_role(
            RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))

    def setUp(self):
        self.stack = next(self.names)

    def change_set(self, body: str, kind: str = "CREATE", name: str = "first", **more) -> dict:
        return self.cloudformation.create_change_set(
            StackName=self.stack, ChangeSetName=name, ChangeSetType=kind, TemplateBody=body,
            Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"], **more)

    def made(self, change_set: dict) -> dict:
        seen = []
        while True:
            found = self.cloudformation.describe_change_set(ChangeSetName=change_set["Id"])
            seen.append(found["Status"])
            if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                return {**found, "Seen": seen}
            time.sleep(0.02)

    def settled(self) -> list[str]:
        """The statuses the stack went through, by looking often."""
        seen = []
        while True:
            status = self.cloudformation.describe_stacks(StackName=self.stack)["Stacks"][0]["StackStatus"]
            if status not in seen:
                seen.append(status)
            if not status.endswith("_IN_PROGRESS"):
                return seen
            time.sleep(0.01)

    def deploy(self, body: str, kind: str = "CREATE", name: str = "first") -> list[str]:
        change_set = self.change_set(body, kind, name)
        self.assertEqual(self.made(change_set)["Status"], "CREATE_COMPLETE")
        self.cloudformation.execute_change_set(ChangeSetName=change_set["Id"], RetainExceptOnCreate=True)
        return self.settled()

    def refused(self, code: str, call, **arguments) -> str:
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response["Error"]["Message"]

    def test_stack_operations_take_time(self):
        self.assertEqual(self.deploy(template({"A": QUEUE})), ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"])
        self.assertEqual(self.deploy(template({"A": QUEUE, "B": QUEUE}), "UPDATE", "second"),
                         ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"])
        self.assertEqual(self.deploy(template({"A": QUEUE, "C": BAD_QUEUE}), "UPDATE", "third"),
                         ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])

    def test_a_change_set_is_pending_at_first(self):
        made = self.made(self.change_set(template({"A": QUEUE})))
        self.assertEqual(sorted(set(made["Seen"])), ["CREATE_COMPLETE", "CREATE_IN_PROGRESS", "CREATE_PENDING"])
        self.assertEqual([change["ResourceChange"]["Action"] for change in made["Changes"]], ["Add"])

    def test_a_template_the_transform_refuses_fails_the_change_set(self):
        made = self.made(self.change_set(template({"F": {"Type": "AWS::Serverless::Function"}}, Transform=SAM)))
        self.assertEqual(made["Status"], "FAILED")
        self.assertIn("Transform AWS::Serverless-2016-10-31 failed with", made["StatusReason"])

    def test_an_unresolved_reference_fails_the_change_set(self):
        made = self.made(self.change_set(template({"A": QUEUE}, Outputs={"O": {"Value": {"Ref": "Missing"}}})))
        self.assertEqual((made["Status"], made["ExecutionStatus"]), ("FAILED", "UNAVAILABLE"))
        self.assertIn("[Missing]", made["StatusReason"])

    def test_an_unknown_property_fails_the_change_set(self):
        made = self.made(self.change_set(template({"A": {"Type": "AWS::SQS::Queue", "Properties": {"Colour": "red"}}})))
        self.assertEqual(made["Status"], "FAILED")
        self.assertIn("Colour", made["StatusReason"])

    def test_the_same_client_token_is_the_same_change_set(self):
        first = self.change_set(template({"A": QUEUE}), ClientToken="one")
        again = self.change_set(template({"A": QUEUE}), ClientToken="one")
        self.assertEqual((first["Id"], first["StackId"]), (again["Id"], again["StackId"]))
        self.refused("AlreadyExistsException", self.change_set, body=template({"A": QUEUE}), ClientToken="two")

    def test_a_second_create_is_for_the_same_stack(self):
        first = self.change_set(template({"A": QUEUE}))
        second = self.change_set(template({"A": QUEUE}), name="second")
        self.assertEqual(first["StackId"], second["StackId"])
        self.assertEqual(self.made(second)["StackId"], first["StackId"])

    def test_a_stack_in_review_shows_no_tags_until_it_is_created(self):
        tags = [{"Key": "ProjectName", "Value": "p"}]
        change_set = self.change_set(template({"A": QUEUE}), Tags=tags)
        describe = lambda: self.cloudformation.describe_stacks(StackName=self.stack)["Stacks"][0]["Tags"]  # noqa: E731
        self.assertEqual(describe(), [])
        self.made(change_set)
        self.cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        self.settled()
        self.assertEqual(describe(), tags)

    def test_a_stack_that_rolled_back_is_not_updated(self):
        self.assertEqual(self.deploy(template({"A": BAD_QUEUE}))[-1], "ROLLBACK_COMPLETE")
        for kind in ("UPDATE", "CREATE"):
            self.refused("ValidationError", self.change_set, body=template({"A": QUEUE}), kind=kind, name="second")

    def test_a_stack_in_progress_is_neither_updated_nor_deleted(self):
        self.deploy(template({"A": QUEUE}))
        change_set = self.change_set(template({"A": QUEUE, "B": QUEUE}), "UPDATE", "second")
        self.made(change_set)
        self.cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        self.refused("ValidationError", self.change_set, body=template({"A": QUEUE}), kind="UPDATE", name="third")
        self.refused("ValidationError", self.cloudformation.delete_stack, StackName=self.stack)
        self.assertEqual(self.settled()[-1], "UPDATE_COMPLETE")

    def test_a_deletion_stops_a_creation(self):
        change_set = self.change_set(template({f"Q{number}": QUEUE for number in range(20)}))
        self.made(change_set)
        self.cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        time.sleep(0.3)
        self.cloudformation.delete_stack(StackName=self.stack)
        self.cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=change_set["StackId"], WaiterConfig={"Delay": 1, "MaxAttempts": 20})

    def test_what_was_deleted_by_hand_cannot_be_updated(self):
        def queue(seconds: int) -> dict:
            return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "mine", "VisibilityTimeout": seconds}}
        self.deploy(template({"A": queue(30)}))
        sqs = self.aws.client("sqs")
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="mine")["QueueUrl"])
        self.assertEqual(self.deploy(template({"A": queue(31)}), "UPDATE", "second")[-1], "UPDATE_ROLLBACK_COMPLETE")

    def test_missing_code_fails_the_creation(self):
        self.s3.create_bucket(Bucket="code")
        function = {"Type": "AWS::Lambda::Function", "Properties": {
            "Role": f"arn:aws:iam::{ACCOUNT}:role/r", "Runtime": "python3.12", "Handler": "a.b",
            "Code": {"S3Bucket": "code", "S3Key": "missing.zip"}}}
        self.assertEqual(self.deploy(template({"F": function}))[-1], "ROLLBACK_COMPLETE")

    def test_a_name_that_is_taken_fails_the_creation(self):
        table = {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {
            "TableName": "taken", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}}
        self.assertEqual(self.deploy(template({"T": table}))[-1], "CREATE_COMPLETE")
        self.stack = next(self.names)
        self.assertEqual(self.deploy(template({"T": table}))[-1], "ROLLBACK_COMPLETE")

    def test_a_bucket_with_something_in_it_is_not_deleted(self):
        self.deploy(template({"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "full"}}}))
        self.s3.put_object(Bucket="full", Key="a", Body=b"b")
        self.cloudformation.delete_stack(StackName=self.stack)
        self.assertEqual(self.settled()[-1], "DELETE_FAILED")
        self.s3.delete_object(Bucket="full", Key="a")
        stack = self.cloudformation.describe_stacks(StackName=self.stack)["Stacks"][0]["StackId"]
        self.cloudformation.delete_stack(StackName=self.stack)
        self.cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1})

    def test_a_rollback_fails_where_a_resource_cannot_be_brought_back(self):
        def queue(seconds: int) -> dict:
            return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "unsteady", "VisibilityTimeout": seconds}}
        self.deploy(template({"A": queue(30)}))
        self.aws.control("knobs", {"failing_reverts": 1})
        broken = {**queue(99999), "DependsOn": "A"}
        broken["Properties"] = {"VisibilityTimeout": 99999}
        wanted = template({"A": queue(31), "B": broken})
        self.assertEqual(self.deploy(wanted, "UPDATE", "second")[-1], "UPDATE_ROLLBACK_FAILED")
        self.cloudformation.continue_update_rollback(StackName=self.stack)
        self.assertEqual(self.settled()[-1], "UPDATE_ROLLBACK_COMPLETE")

    def test_a_bucket_that_a_deleted_stack_has_kept_is_taken_in_again(self):
        bucket = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "kept-by-a-stack"}}
        cloudformation = self.aws.client("cloudformation")
        cloudformation.create_stack(StackName="keeper", TemplateBody=template({"Bucket": bucket}))
        cloudformation.get_waiter("stack_create_complete").wait(StackName="keeper", WaiterConfig={"Delay": 0.1})
        cloudformation.delete_stack(StackName="keeper")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="keeper", WaiterConfig={"Delay": 0.1})
        made = cloudformation.create_change_set(StackName="keeper", ChangeSetName="again", ChangeSetType="CREATE",
                                                ImportExistingResources=True, TemplateBody=template({"Bucket": bucket}))
        cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"], WaiterConfig={"Delay": 0.1})
        cloudformation.execute_change_set(ChangeSetName=made["Id"])
        cloudformation.get_waiter("stack_create_complete").wait(StackName="keeper", WaiterConfig={"Delay": 0.1})

    def test_a_template_url_is_read_in_the_version_it_names(self):
        self.s3.create_bucket(Bucket="templates")
        self.s3.put_bucket_versioning(Bucket="templates", VersioningConfiguration={"Status": "Enabled"})
        first = self.s3.put_object(Bucket="templates", Key="a/t.json", Body=template({"A": QUEUE}))["VersionId"]
        self.s3.put_object(Bucket="templates", Key="a/t.json", Body=template({"B": QUEUE}))
        url = f"https://templates.s3.{REGION}.amazonaws.com/a/t.json?versionId={first}"
        made = self.made(self.cloudformation.create_change_set(
            StackName=self.stack, ChangeSetName="first", ChangeSetType="CREATE", TemplateURL=url))
        self.assertEqual([change["ResourceChange"]["LogicalResourceId"] for change in made["Changes"]], ["A"])

    def test_a_template_and_code_lie_in_the_bucket_of_another_account(self):
        self.s3.create_bucket(Bucket="shared")
        allow = {"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "s3:GetObject",
                 "Resource": "arn:aws:s3:::shared/*"}
        self.s3.put_bucket_policy(Bucket="shared", Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.write("/bin/true", "bootstrap")
        self.s3.put_object(Bucket="shared", Key="code.zip", Body=code.getvalue())
        function = {"Type": "AWS::Lambda::Function", "Properties": {
            "Role": "arn:aws:iam::222222222222:role/r", "Runtime": "provided.al2023", "Handler": "bootstrap",
            "Code": {"S3Bucket": "shared", "S3Key": "code.zip"}}}
        self.s3.put_object(Bucket="shared", Key="t.json", Body=template({"F": function}))
        self.cloudformation = self.aws.client("cloudformation", account="222222222222")
        self.addCleanup(delattr, self, "cloudformation")
        change_set = self.cloudformation.create_change_set(
            StackName=self.stack, ChangeSetName="first", ChangeSetType="CREATE",
            TemplateURL=f"https://shared.s3.{REGION}.amazonaws.com/t.json")
        self.assertEqual(self.made(change_set)["Status"], "CREATE_COMPLETE")
        self.cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        self.assertEqual(self.settled()[-1], "CREATE_COMPLETE")
        words = self.refused("ValidationError", self.aws.client("cloudformation", account="333333333333").create_change_set,
                             StackName=self.stack, ChangeSetName="first", ChangeSetType="CREATE",
                             TemplateURL=f"https://shared.s3.{REGION}.amazonaws.com/t.json")
        self.assertIn("S3 error: Access Denied", words)

    def test_tags_of_more_services_and_only_of_what_has_some(self):
        kinesis, sqs = self.aws.client("kinesis"), self.aws.client("sqs")
        kinesis.create_stream(StreamName="tagged", ShardCount=1)
        kinesis.add_tags_to_stream(StreamName="tagged", Tags={"ProjectName": "p"})
        sqs.create_queue(QueueName="untagged")
        tagging = self.aws.client("resourcegroupstaggingapi")
        stream, queue = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/tagged", f"arn:aws:sqs:{REGION}:{ACCOUNT}:untagged"
        found = tagging.get_resources(ResourceARNList=[stream, queue])["ResourceTagMappingList"]
        self.assertEqual([entry["ResourceARN"] for entry in found], [stream])
        self.refused("InvalidParameterException", tagging.get_resources, ResourceARNList=[f"{queue}-{n}" for n in range(101)])

    def machine(self, name: str, **definition) -> str:
        return self.aws.client("stepfunctions").create_state_machine(
            name=name, roleArn=f"arn:aws:iam::{ACCOUNT}:role/r", definition=json.dumps(definition))["stateMachineArn"]

    def ended(self, execution: str) -> dict:
        machines = self.aws.client("stepfunctions")
        while (found := machines.describe_execution(executionArn=execution))["status"] == "RUNNING":
            time.sleep(0.05)
        return found

    def test_an_execution_is_started_once(self):
        machines = self.aws.client("stepfunctions")
        machine = self.machine("once", StartAt="W", States={"W": {"Type": "Wait", "Seconds": 10, "End": True}})
        first = machines.start_execution(stateMachineArn=machine, name="e", input="{}")
        self.assertEqual(machines.start_execution(stateMachineArn=machine, name="e", input="{}")["executionArn"], first["executionArn"])
        self.refused("ExecutionAlreadyExists", machines.start_execution, stateMachineArn=machine, name="e", input='{"a": 1}')

    def test_a_machine_times_out(self):
        machine = self.machine("late", StartAt="W", TimeoutSeconds=1, States={"W": {"Type": "Wait", "Seconds": 30, "End": True}})
        execution = self.aws.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"]
        self.assertEqual(self.ended(execution)["status"], "TIMED_OUT")

    def test_a_choice_of_a_missing_variable_fails(self):
        machine = self.machine("missing", StartAt="C", States={
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.a", "StringEquals": "x", "Next": "S"}], "Default": "S"},
            "S": {"Type": "Succeed"}})
        execution = self.aws.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"]
        self.assertEqual(self.ended(execution)["error"], "States.Runtime")

    def test_an_oversized_state_ends_the_execution(self):
        states = {"P": {"Type": "Pass", "Parameters": {"both.$": "States.Array($.a, $.a)"}, "End": True}}
        machine = self.machine("large", StartAt="P", States=states)
        execution = self.aws.client("stepfunctions").start_execution(
            stateMachineArn=machine, input=json.dumps({"a": "x" * 200_000}))["executionArn"]
        self.assertEqual(self.ended(execution)["error"], "States.DataLimitExceeded")

    def user(self, name: str, *statements: dict) -> dict:
        iam = self.aws.client("iam")
        iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def test_a_missing_key_is_forbidden_to_who_may_not_list(self):
        self.s3.create_bucket(Bucket="private")
        self.refused("NoSuchKey", self.s3.get_object, Bucket="private", Key="missing")
        reader = self.user("reader", {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
        self.refused("AccessDenied", self.aws.client("s3", **reader).get_object, Bucket="private", Key="missing")

    def test_a_service_role_must_be_passed_by_someone_who_may(self):
        role = f"arn:aws:iam::{ACCOUNT}:role/r"
        cloudformation = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}
        passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role,
                   "Condition": {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}}
        may_not = self.aws.client("cloudformation", **self.user("no-passer", cloudformation))
        may = self.aws.client("cloudformation", **self.user("passer", cloudformation, passing))
        arguments = {"StackName": self.stack, "ChangeSetName": "c", "ChangeSetType": "CREATE", "RoleARN": role,
                     "TemplateBody": template({"A": QUEUE})}
        self.refused("AccessDenied", may_not.create_change_set, **arguments)
        may.create_change_set(**arguments)

    def test_a_machine_invokes_with_its_role(self):
        states = {"T": {"Type": "Task", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:missing", "End": True}}
        machine = self.machine("powerless", StartAt="T", States=states)
        execution = self.aws.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"]
        self.assertIn("not authorized", self.ended(execution)["cause"])

    def test_a_task_whose_function_may_not_be_invoked_is_caught(self):
        caught = [{"ErrorEquals": ["Lambda.AWSLambdaException"], "ResultPath": "$.error", "Next": "End"}]
        task = {"Type": "Task", "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:missing", "Catch": caught, "End": True}
        machine = self.machine("forgiving", StartAt="T", States={"T": task, "End": {"Type": "Succeed"}})
        started = self.aws.client("stepfunctions").start_execution(stateMachineArn=machine, input="{}")
        ended = self.ended(started["executionArn"])
        self.assertEqual(ended["status"], "SUCCEEDED", ended)
        self.assertIn("not authorized to perform: lambda:InvokeFunction", json.loads(ended["output"])["error"]["Cause"])

    def rule(self, name: str, target: str) -> str:
        events = self.aws.client("events")
        arn = events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
        events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": target}])
        return arn

    def put_event(self, source: str, **detail) -> None:
        entry = {"Source": source, "DetailType": "d", "Detail": json.dumps(detail)}
        self.assertEqual(self.aws.client("events").put_events(Entries=[entry])["FailedEntryCount"], 0)

    def test_a_rule_invokes_only_a_function_that_lets_it_and_again_when_it_fails(self):
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("a.py", "def b(event, _):\n    open(event['detail']['file'], 'a').write('x')\n    raise ValueError\n")
        functions = self.aws.client("lambda")
        function = functions.create_function(FunctionName="fails", Runtime="python3.12", Handler="a.b",
                                             Role=f"arn:aws:iam::{ACCOUNT}:role/r", Code={"ZipFile": code.getvalue()})["FunctionArn"]
        functions.put_function_event_invoke_config(FunctionName="fails", MaximumRetryAttempts=1)
        rule = self.rule("to-function", function)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "invocations"
            self.put_event("to-function", file=str(file))
            time.sleep(1)
            self.assertFalse(file.exists(), "nobody gave the rule the right")
            functions.add_permission(FunctionName="fails", StatementId="s", Action="lambda:InvokeFunction",
                                     Principal="events.amazonaws.com", SourceArn=rule)
            self.put_event("to-function", file=str(file))
            limit = time.monotonic() + 20
            while (file.read_text() if file.exists() else "") != "xx" and time.monotonic() < limit:
                time.sleep(0.1)
            time.sleep(1)
            self.assertEqual(file.read_text(), "xx")

    def test_a_batch_of_a_stream_goes_on_from_the_record_that_failed(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "seen"
            # Takes `a`, fails once at `b`, and takes everything from there on when it comes again.
            source = f"""
import os
def b(event, _):
    seen = open({str(file)!r}, 'a')
    for record in event['Records']:
        key = record['dynamodb']['Keys']['k']['S']
        seen.write(key)
        if key == 'b' and not os.path.exists({str(file)!r} + '.failed'):
            open({str(file)!r} + '.failed', 'w')
            return {{'batchItemFailures': [{{'itemIdentifier': record['dynamodb']['SequenceNumber']}}]}}
    return {{'batchItemFailures': []}}
"""
            code = io.BytesIO()
            with zipfile.ZipFile(code, "w") as archive:
                archive.writestr("a.py", source)
            self.aws.client("lambda").create_function(FunctionName="hears", Runtime="python3.12", Handler="a.b",
                                                      Role=f"arn:aws:iam::{ACCOUNT}:role/r", Code={"ZipFile": code.getvalue()})
            tables = self.aws.client("dynamodb")
            table = tables.create_table(TableName="streams", BillingMode="PAY_PER_REQUEST",
                                        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                                        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                                        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
            self.aws.control("knobs", {"streams": 0})
            self.aws.client("lambda").create_event_source_mapping(
                EventSourceArn=table["TableDescription"]["LatestStreamArn"], FunctionName="hears", StartingPosition="TRIM_HORIZON",
                FunctionResponseTypes=["ReportBatchItemFailures"])
            for key in "abc":
                tables.put_item(TableName="streams", Item={"k": {"S": key}})
            time.sleep(1)
            self.assertFalse(file.exists(), "streams are turned off")
            self.aws.control("knobs", {"streams": 1})
            limit = time.monotonic() + 30
            while (file.read_text() if file.exists() else "") != "abbc" and time.monotonic() < limit:
                time.sleep(0.1)
            self.assertEqual(file.read_text(), "abbc")

    def test_an_alarm_may_be_on_what_is_computed(self):
        stat = {"Metric": {"Namespace": "N", "MetricName": "M"}, "Period": 60, "Stat": "Sum"}
        computed = {"Type": "AWS::CloudWatch::Alarm", "Properties": {
            "AlarmName": "computed", "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 1,
            "Metrics": [{"Id": "a", "MetricStat": stat, "ReturnData": False}, {"Id": "b", "Expression": "a * 2"}]}}
        change_set = self.change_set(template({"Alarm": computed}))
        self.made(change_set)
        self.cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        self.assertEqual(self.settled()[-1], "CREATE_COMPLETE")
        found = self.aws.client("cloudwatch").describe_alarms(AlarmNames=["computed"])["MetricAlarms"]
        self.assertEqual([alarm["AlarmName"] for alarm in found], ["computed"])

    def test_a_rule_publishes_only_to_a_topic_that_lets_it(self):
        sns, sqs = self.aws.client("sns"), self.aws.client("sqs")
        topic = sns.create_topic(Name="heard")["TopicArn"]
        queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:heard"
        send = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [send]})
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        rule = self.rule("to-topic", topic)
        for source_arn, heard in ((f"{rule}-another", 0), (rule, 1)):
            allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish",
                     "Resource": topic, "Condition": {"ArnEquals": {"aws:SourceArn": source_arn}}}
            sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy",
                                     AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
            self.put_event("to-topic")
            found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2).get("Messages", [])
            self.assertEqual(len(found), heard, source_arn)

    def test_a_stopped_execution_is_told_of(self):
        machines, sqs = self.aws.client("stepfunctions"), self.aws.client("sqs")
        queue = sqs.create_queue(QueueName="stopped")["QueueUrl"]
        events = self.aws.client("events")
        events.put_rule(Name="stopped", EventPattern=json.dumps({"source": ["aws.states"], "detail": {"status": ["ABORTED"]}}))
        events.put_targets(Rule="stopped", Targets=[{"Id": "t", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:stopped"}])
        machine = self.machine("stopped", StartAt="W", States={"W": {"Type": "Wait", "Seconds": 300, "End": True}})
        execution = machines.start_execution(stateMachineArn=machine, name="stopped")["executionArn"]
        machines.stop_execution(executionArn=execution)
        message = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"][0]
        told = json.loads(message["Body"])
        self.assertEqual((told["detail-type"], told["detail"]["executionArn"]),
                         ("Step Functions Execution Status Change", execution))

    def test_a_bucket_that_demands_tls_is_reached(self):
        self.s3.create_bucket(Bucket="tls-only")
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::tls-only/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
        self.s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
        writer = self.user("writer", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
        self.aws.client("s3", **writer).put_object(Bucket="tls-only", Key="k", Body=b"x")

    def test_a_session_is_its_role_in_a_condition(self):
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        read = {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*",
                "Condition": {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/assumed"}}}
        iam = self.aws.client("iam")
        iam.create_role(RoleName="assumed",
                        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
        iam.put_role_policy(RoleName="assumed", PolicyName="p",
                            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [read]}))
        keys = self.aws.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/assumed",
                                                  RoleSessionName="session")["Credentials"]
        self.aws.client("sqs", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
                        aws_session_token=keys["SessionToken"]).list_queues()

    def test_a_change_set_named_by_its_arn_is_what_the_right_is_for(self):
        change_set = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/fenrir-1/1"
        read = {"Effect": "Allow", "Action": "cloudformation:DescribeEvents", "Resource": change_set}
        events = self.aws.client("cloudformation", **self.user("looker", read))
        self.assertEqual(events.describe_events(ChangeSetName=change_set)["OperationEvents"], [])
        self.refused("AccessDenied", events.describe_events, ChangeSetName=change_set.replace("fenrir", "other"))

    def session(self, role: str, *statements: dict) -> dict:
        """Credentials of a new role with these rights, in a session that is called `session` and tagged."""
        iam, trust = self.aws.client("iam"), {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": trust, "Action": ["sts:AssumeRole", "sts:TagSession"]}]}))
        iam.put_role_policy(RoleName=role, PolicyName="p",
                            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        keys = self.aws.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="session",
            Tags=[{"Key": "ProjectName", "Value": "p"}])["Credentials"]
        return {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys["SessionToken"]}

    def table(self, name: str) -> None:
        self.aws.client("dynamodb").create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("owner", "id", "at")],
            KeySchema=[{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[{"IndexName": "by-time", "Projection": {"ProjectionType": "ALL"}, "KeySchema": [
                {"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}]}])

    def test_the_leading_keys_of_every_item_action_are_a_condition(self):
        self.table("kept")
        own = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["mine", "mine/*"]}, "Null": {"dynamodb:LeadingKeys": "false"}}
        items = self.aws.client("dynamodb", **self.session(
            "keeper", {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*", "Condition": own}))
        def key(owner):
            return {"owner": {"S": owner}, "id": {"S": "1"}}
        def calls(owner):
            query = {"TableName": "kept", "ExpressionAttributeValues": {":o": {"S": owner}, ":i": {"S": "1"}}}
            named = {"ExpressionAttributeNames": {"#o": "owner"}}
            return [
                (items.put_item, {"TableName": "kept", "Item": key(owner)}),
                (items.get_item, {"TableName": "kept", "Key": key(owner)}),
                (items.update_item, {"TableName": "kept", "Key": key(owner), "UpdateExpression": "SET x = :x",
                                     "ExpressionAttributeValues": {":x": {"S": "1"}}}),
                (items.query, {**query, **named, "KeyConditionExpression": "(id = :i) AND :o=#o"}),
                (items.query, {"TableName": "kept", "IndexName": "by-time", "KeyConditionExpression": "owner = :o",
                               "ExpressionAttributeValues": {":o": {"S": owner}}}),
                (items.batch_get_item, {"RequestItems": {"kept": {"Keys": [key("mine"), key(owner)]}}
                                        if owner != "mine" else {"kept": {"Keys": [key(owner)]}}}),
                (items.batch_write_item, {"RequestItems": {"kept": [
                    {"PutRequest": {"Item": key("mine/1")}}, {"DeleteRequest": {"Key": key(owner)}}]}}),
                (items.transact_write_items, {"TransactItems": [
                    {"Put": {"TableName": "kept", "Item": key("mine/2")}},
                    {"Delete": {"TableName": "kept", "Key": key(owner)}}]}),
                (items.delete_item, {"TableName": "kept", "Key": key(owner)}),
            ]
        for call, arguments in calls("mine"):
            call(**arguments)
        for call, arguments in calls("theirs"):
            self.refused("AccessDeniedException", call, **arguments)
        # Without a key there is no leading key, and ForAllValues alone lets it pass.
        self.refused("AccessDeniedException", items.scan, TableName="kept")
        del own["Null"]
        self.aws.client("dynamodb", **self.session(
            "loose", {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*", "Condition": own})).scan(TableName="kept")

    def test_a_bucket_is_its_owners_in_a_condition(self):
        for account in (ACCOUNT, "222222222222"):
            s3 = self.aws.client("s3", account)
            s3.create_bucket(Bucket=f"of-{account}")
            to_us = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:*", "Resource": f"arn:aws:s3:::of-{account}/*"}
            s3.put_bucket_policy(Bucket=f"of-{account}", Policy=json.dumps({"Version": "2012-10-17", "Statement": [to_us]}))
        write = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
        anywhere = self.aws.client("s3", **self.session("anywhere", write))
        at_home = self.aws.client("s3", **self.session(
            "at-home", {**write, "Condition": {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}}))
        for s3, account in ((anywhere, ACCOUNT), (anywhere, "222222222222"), (at_home, ACCOUNT)):
            s3.put_object(Bucket=f"of-{account}", Key="k", Body=b"x")
        self.refused("AccessDenied", at_home.put_object, Bucket="of-222222222222", Key="k", Body=b"x")

    def test_an_owner_that_was_expected_must_be_the_owner(self):
        self.s3.create_bucket(Bucket="expected")
        self.s3.put_object(Bucket="expected", Key="k", Body=b"x", ExpectedBucketOwner=ACCOUNT)
        self.refused("AccessDenied", self.s3.put_object, Bucket="expected", Key="k", Body=b"x",
                     ExpectedBucketOwner="222222222222")

    def test_a_call_tells_the_session_it_is_made_in(self):
        keys = self.session("traced", {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"})
        self.aws.client("sqs", **keys).list_queues()
        call = [call for call in self.aws.control("calls") if call["access_key"] == keys["aws_access_key_id"]][-1]
        self.assertEqual(call["caller"], f"arn:aws:sts::{ACCOUNT}:assumed-role/traced/session")
        self.assertEqual(call["session_tags"], {"ProjectName": "p"})

    def test_a_key_that_is_named_by_an_alias_is_the_key(self):
        kms = self.aws.client("kms")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        kms.create_alias(AliasName="alias/named", TargetKeyId=key)
        looker = self.user("alias-looker", {"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": key})
        found = self.aws.client("kms", **looker).describe_key(KeyId="alias/named")
        self.assertEqual(found["KeyMetadata"]["Arn"], key)

    def test_the_tags_of_one_state_machine_can_be_allowed(self):
        trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = self.aws.client("iam").create_role(
            RoleName="tagged", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
        machine = self.aws.client("stepfunctions").create_state_machine(
            name="tagged", roleArn=role["Role"]["Arn"], tags=[{"key": "k", "value": "v"}],
            definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}))["stateMachineArn"]
        looker = self.user("tag-looker", {"Effect": "Allow", "Action": "states:ListTagsForResource", "Resource": machine})
        looking = self.aws.client("stepfunctions", **looker)
        self.assertEqual(looking.list_tags_for_resource(resourceArn=machine)["tags"], [{"key": "k", "value": "v"}])
        self.refused("AccessDeniedException", looking.list_tags_for_resource, resourceArn=f"{machine}2")

    def test_a_pattern_of_a_field_lets_only_such_lines_through(self):
        logs = self.aws.client("logs")
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        now = int(time.time() * 1000)
        lines = ["START RequestId: release-1", json.dumps({"release_id": "release-1", "message": "mine"}),
                 json.dumps({"release_id": "release-2", "message": "of release-1"}),
                 json.dumps({"span": {"release_id": "release-1"}}), "[1]"]
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[
            {"timestamp": now + number, "message": line} for number, line in enumerate(lines)])
        found = logs.filter_log_events(logGroupName="g", filterPattern='{ $.release_id = "release-1" }')["events"]
        self.assertEqual([json.loads(event["message"])["message"] for event in found], ["mine"])

    def test_a_fault_strikes_as_often_as_it_was_ordered(self):
        self.aws.control("faults", [{"action": "sqs:ListQueues", "fault": "throttled", "skip": 1}])
        sqs = self.aws.client("sqs")
        sqs.list_queues()
        self.refused("ThrottlingException", sqs.list_queues)
        sqs.list_queues()

    def test_a_lost_answer_took_effect(self):
        self.aws.control("faults", [{"action": "sqs:CreateQueue", "fault": "lost"}])
        sqs = self.aws.client("sqs")
        with self.assertRaises(Exception):
            sqs.create_queue(QueueName="lost")
        self.assertIn("/lost", sqs.get_queue_url(QueueName="lost")["QueueUrl"])

    def test_a_late_answer_took_effect_at_once(self):
        self.aws.control("faults", [{"action": "sqs:CreateQueue", "fault": "late", "seconds": 0.5}])
        sqs = self.aws.client("sqs")
        began = time.monotonic()
        caller = threading.Thread(target=sqs.create_queue, kwargs={"QueueName": "late"})
        caller.start()
        while not self.aws.client("sqs").list_queues(QueueNamePrefix="late").get("QueueUrls"):
            self.assertLess(time.monotonic() - began, 0.5)
        caller.join()
        self.assertGreater(time.monotonic() - began, 0.5)

    def test_a_garbled_answer_took_effect_and_garbage_did_not(self):
        self.aws.control("faults", [{"action": "sqs:CreateQueue", "fault": fault} for fault in ("garbled", "garbage")])
        sqs = self.aws.client("sqs")
        for name in ("garbled", "garbage"):
            # What is no JSON is an empty answer to boto.
            self.assertNotIn("QueueUrl", sqs.create_queue(QueueName=name))
        self.assertIn("/garbled", sqs.get_queue_url(QueueName="garbled")["QueueUrl"])
        self.refused("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName="garbage")

    def test_a_call_tells_which_fault_struck_it(self):
        self.aws.control("faults", [{"action": "sqs:ListQueues", "fault": "throttled"}])
        self.aws.control("calls", method="DELETE")
        sqs = self.aws.client("sqs")
        self.refused("ThrottlingException", sqs.list_queues)
        sqs.list_queues()
        self.assertEqual([call.get("fault") for call in self.aws.control("calls")], ["throttled", None])

    def test_an_execution_that_runs_elsewhere_is_known(self):
        execution = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:elsewhere:one"
        machines = self.aws.client("stepfunctions")
        self.refused("ExecutionDoesNotExist", machines.describe_execution, executionArn=execution)
        for status in ("RUNNING", "FAILED"):
            self.aws.control("executions", {"arn": execution, "status": status, "error": "E", "cause": "because"})
            found = machines.describe_execution(executionArn=execution)
            self.assertEqual((found["status"], found["cause"]), (status, "because"))

    def test_calls_are_counted(self):
        self.aws.control("calls", method="DELETE")
        self.aws.client("sqs").list_queues()
        self.assertEqual([call["action"] for call in self.aws.control("calls")], ["sqs:ListQueues"])


if __name__ == "__main__":
    unittest.main()
