"""Stack operations take time, one after the other."""

import asyncio

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers, helpers, stacks

from . import patch
from .knobs import KNOBS


def close() -> None:
    slow_deploy()
    slow_rollback()
    fallible_reverts()
    patch.everywhere(stacks._delete_stack_async, slow_delete(stacks._delete_stack_async))
    patch.action(handlers._ACTION_HANDLERS, "DeleteStack")(delete)


async def pause() -> None:
    """The time that CloudFormation takes for one step."""
    await asyncio.sleep(KNOBS["stack_seconds"])


def slow_deploy() -> None:
    """*_IN_PROGRESS is seen, an update cleans up after itself, and a deletion stops a creation.

    Source: CloudFormation user guide, "Stack status codes".
    """
    patch.rewrite(
        stacks._deploy_stack_async,
        ('    for logical_id in ordered:\n        if is_update and stack.pop("_cancel_requested", False):',
         '    for logical_id in ordered:\n        await _pause()\n'
         '        if stack["StackStatus"] == "DELETE_IN_PROGRESS":\n            return\n'
         '        if is_update and stack.pop("_cancel_requested", False):'),
        ('    stack["StackStatus"] = f"{status_prefix}_COMPLETE"\n',
         '    if is_update:\n'
         '        stack["StackStatus"] = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"\n'
         '        _add_event(stack_id, stack_name, stack_name, "AWS::CloudFormation::Stack",\n'
         '                   "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", physical_id=stack_id)\n'
         '        await _pause()\n'
         '    stack["StackStatus"] = f"{status_prefix}_COMPLETE"\n'),
        _pause=pause,
    )
    patch.everywhere(stacks._deploy_stack_async, marked_busy(stacks._deploy_stack_async))


def slow_rollback() -> None:
    """ROLLBACK_IN_PROGRESS and UPDATE_ROLLBACK_IN_PROGRESS are seen."""
    patch.rewrite(
        stacks._roll_back_operation,
        ("    rollback_failed_records = {}\n", "    await _pause()\n    rollback_failed_records = {}\n"),
        _pause=pause,
    )


def fallible_reverts() -> None:
    """A resource cannot be brought back, as when somebody changed it by hand meanwhile (the knob `failing_reverts`)."""
    patch.rewrite(
        stacks._revert_update,
        ("    try:\n        if _runs_on", "    try:\n        _may_revert()\n        if _runs_on"),
        _may_revert=may_revert,
    )


def may_revert() -> None:
    """Fails as often as was ordered."""
    if KNOBS["failing_reverts"] > 0:
        KNOBS["failing_reverts"] -= 1
        raise ValueError("somebody changed it meanwhile")


def marked_busy(original):
    """Says on the stack that an operation runs, so that a deletion can wait for it."""
    async def deploy(stack_name, *rest, **named):
        stack = cloudformation._stacks[stack_name]
        stack["_busy"] = True
        try:
            await original(stack_name, *rest, **named)
        finally:
            stack.pop("_busy", None)
    return deploy


def slow_delete(original):
    """DELETE_IN_PROGRESS is seen, and a creation that runs ends first."""
    async def delete_stack(stack_name, *rest, **named):
        stack = cloudformation._stacks.get(stack_name)
        if stack:
            stack["StackStatus"] = "DELETE_IN_PROGRESS"
            await pause()
            while stack.get("_busy"):
                await asyncio.sleep(0.02)
        await original(stack_name, *rest, **named)
    return delete_stack


def delete(original, params):
    """DeleteStack while the stack is updated is refused, and while it is deleted it changes nothing.

    Source: CloudFormation API, DeleteStack.
    """
    stack = handlers._resolve_stack(helpers._p(params, "StackName"))
    status = stack["StackStatus"] if stack else ""
    if status.startswith("UPDATE_") and status.endswith("_IN_PROGRESS"):
        return helpers._error("ValidationError", f"Stack [{stack['StackName']}] cannot be deleted while in status {status}")
    if status == "DELETE_IN_PROGRESS":
        return helpers._xml(200, "DeleteStackResponse", "")
    reply = original(params)
    if reply[0] == 200 and stack and status != "DELETE_COMPLETE":
        stack["StackStatus"] = "DELETE_IN_PROGRESS"
    return reply
