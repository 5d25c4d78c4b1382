"""Change sets take time, and fail rather than being refused."""

import asyncio

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers, helpers

from . import patch, templates
from .knobs import KNOBS

ACTIONS = handlers._ACTION_HANDLERS
# Statuses in which a stack can be updated. Source: CloudFormation user guide, "Stack status codes".
UPDATABLE = {
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
}


def close() -> None:
    for name in ("DescribeChangeSet", "ListChangeSets"):
        patch.action(ACTIONS, name)(by_stack_arn)
    patch.action(ACTIONS, "ExecuteChangeSet")(execute)
    patch.action(ACTIONS, "CreateChangeSet")(create)


def by_stack_arn(original, params):
    """StackName may be the stack's ARN. Source: CloudFormation API, DescribeChangeSet, StackName."""
    return original(named(params))


def named(params: dict) -> dict:
    """The request with the stack's name in place of its ARN."""
    stack = handlers._resolve_stack(helpers._p(params, "StackName"))
    return {**params, "StackName": [stack["StackName"]]} if stack else params


def create(original, params):
    """CreateChangeSet as AWS answers it: idempotent, refused in wrong states, pending at first.

    Source: CloudFormation API, CreateChangeSet (ClientToken, ChangeSetType).
    """
    params = named(params)
    name, kind = helpers._p(params, "ChangeSetName"), helpers._p(params, "ChangeSetType", "UPDATE")
    stack = handlers._resolve_stack(helpers._p(params, "StackName"))
    if stack and stack["StackStatus"] == "DELETE_COMPLETE":
        stack = None
    if stack:
        if again := same_request(stack, name, helpers._p(params, "ClientToken")):
            return answer(again)
        if refusal := refused(stack, kind):
            return helpers._error("ValidationError", refusal)
    reviewed = stack if stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS" else None
    templates.FAULT.set("")
    reply = original(params)
    if reviewed:
        # A second CREATE change set belongs to the same stack, and a refused one leaves it.
        cloudformation._stacks[reviewed["StackName"]] = reviewed
    if reply[0] != 200:
        return reply
    change_set = next(reversed(cloudformation._change_sets.values()))
    change_set["_client_token"] = helpers._p(params, "ClientToken")
    if reviewed:
        change_set["StackId"] = reviewed["StackId"]
    hide_tags(change_set)
    judge(change_set)
    make_slowly(change_set)
    return answer(change_set)


def answer(change_set: dict):
    """The reply of CreateChangeSet."""
    return helpers._xml(200, "CreateChangeSetResponse",
                        f"<CreateChangeSetResult><Id>{change_set['ChangeSetId']}</Id>"
                        f"<StackId>{change_set['StackId']}</StackId></CreateChangeSetResult>")


def same_request(stack: dict, name: str, token: str) -> dict | None:
    """The change set that the same name and ClientToken already made."""
    for change_set in cloudformation._change_sets.values():
        if (token and change_set["StackId"] == stack["StackId"] and change_set["ChangeSetName"] == name
                and change_set.get("_client_token") == token):
            return change_set
    return None


def refused(stack: dict, kind: str) -> str:
    """Why a stack in this status takes no change set of this type; empty when it does."""
    status = stack["StackStatus"]
    if kind == "CREATE" and status != "REVIEW_IN_PROGRESS":
        return f"Stack [{stack['StackName']}] already exists and cannot be created again with the changeSet."
    if kind == "UPDATE" and status not in UPDATABLE:
        return f"Stack:{stack['StackId']} is in {status} state and can not be updated."
    return ""


def hide_tags(change_set: dict) -> None:
    """A stack in review has no tags yet: they come with the execution of its change set."""
    stack = cloudformation._stacks[change_set["StackName"]]
    if stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        stack["Tags"] = []


def judge(change_set: dict) -> None:
    """What is wrong with the processed template fails the change set."""
    if fault := templates.fault_of(change_set["_template"]):
        change_set.update(Status="FAILED", ExecutionStatus="UNAVAILABLE", StatusReason=fault, Changes=[])


def make_slowly(change_set: dict) -> None:
    """A change set is pending, then in progress, and shows its changes when it is made."""
    seconds = KNOBS["change_set_seconds"]
    if seconds <= 0:
        return
    made = {name: change_set[name] for name in ("Status", "ExecutionStatus", "StatusReason", "Changes")}
    change_set.update(Status="CREATE_PENDING", ExecutionStatus="UNAVAILABLE", StatusReason="", Changes=[])

    async def make():
        await asyncio.sleep(seconds / 2)
        change_set["Status"] = "CREATE_IN_PROGRESS"
        await asyncio.sleep(seconds / 2)
        change_set.update(made)
    keep(asyncio.get_running_loop().create_task(make()))


TASKS: set = set()


def keep(task) -> None:
    """The event loop holds its tasks weakly."""
    TASKS.add(task)
    task.add_done_callback(TASKS.discard)


def execute(original, params):
    """ExecuteChangeSet in a status that does not allow it. Source: as `refused`."""
    params = named(params)
    _, change_set = changesets._find_change_set(helpers._p(params, "ChangeSetName"), helpers._p(params, "StackName"))
    stack = cloudformation._stacks.get(change_set["StackName"]) if change_set else None
    if stack and change_set["ExecutionStatus"] == "AVAILABLE":
        wanted = {"REVIEW_IN_PROGRESS"} if change_set["ChangeSetType"] == "CREATE" else UPDATABLE
        if stack["StackId"] != change_set["StackId"] or stack["StackStatus"] not in wanted:
            return helpers._error("ValidationError", f"Stack:{stack['StackId']} is in {stack['StackStatus']} "
                                                     "state and can not be updated.")
    return original(params)
