"""Roles that are handed to a service: who hands one over must be allowed to, and Step Functions works with its own."""

import contextvars
import hashlib

from ministack.core.iam_actions import access_denied_response
from ministack.core.iam_evaluator import caller_arn, enforce
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import iam, stepfunctions, sts
from ministack.services.cloudformation import handlers, helpers

from . import front, patch

# The role of the state machine whose task runs.
ROLE: contextvars.ContextVar[str] = contextvars.ContextVar("role", default="")
PASSED_TO_CLOUDFORMATION = {"iam:PassedToService": "cloudformation.amazonaws.com"}


def close() -> None:
    for action in ("CreateChangeSet", "DeleteStack"):
        patch.action(handlers._ACTION_HANDLERS, action)(pass_role)
    patch.everywhere(stepfunctions._execute_task, with_machine_role(stepfunctions._execute_task))
    patch.everywhere(stepfunctions._invoke_resource, permitted(stepfunctions._invoke_resource))


def pass_role(original, params):
    """RoleARN needs iam:PassRole on that role, and the role itself.

    Source: IAM user guide, "Grant a user permissions to pass a role to an AWS service".
    """
    role = helpers._p(params, "RoleARN")
    if role and enforce(front.ACCESS_KEY.get(), "iam:PassRole", "iam", get_region(), resource_arn=role,
                        service_context=PASSED_TO_CLOUDFORMATION):
        return access_denied_response("cloudformation", "iam:PassRole", caller_arn(), new_uuid(), resource_arn=role)
    if role and role.rsplit("/", 1)[-1] not in iam._roles:
        return helpers._error("ValidationError", f"Role {role} is invalid or cannot be assumed")
    return original(params)


def with_machine_role(original):
    """A task that invokes a function does so with the state machine's role. Who may not has a task that failed, and Retry
    and Catch are for it as for any other.

    Source: Step Functions developer guide, "IAM policies for calling Lambda" and "Handling errors" (Lambda.AWSLambdaException).
    """
    def execute_task(state, data, execution, context):
        ROLE.set(stepfunctions._state_machines[execution["stateMachineArn"]]["roleArn"])
        return original(state, data, execution, context)
    return execute_task


def permitted(original):
    def invoke_resource(resource, data):
        role = ROLE.get()
        if ":lambda:" in resource and ":function:" in resource:
            denied = enforce(session_of(role), "lambda:InvokeFunction", "lambda", get_region(), resource_arn=resource)
            if denied:
                raise stepfunctions._ExecutionError(
                    "Lambda.AWSLambdaException", f"{role} is not authorized to perform: lambda:InvokeFunction on {resource}")
        return original(resource, data)
    return invoke_resource


def session_of(role: str) -> str:
    """The access key of a session of this role."""
    key = f"ASIA{hashlib.sha256(role.encode()).hexdigest()[:16].upper()}"
    name = role.rsplit("/", 1)[-1]
    sts.register_session(key, {
        "Arn": f"arn:aws:sts::{get_account_id()}:assumed-role/{name}/states", "UserId": f"{name}:states",
        "SecretAccessKey": "none", "SessionToken": "none",
    })
    return key
