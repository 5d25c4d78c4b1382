"""Step Functions: an execution's name, its time, the size of its state, a variable that is missing."""

import contextvars
import json
import threading

from ministack.core.responses import json_response, now_iso, request_scope
from ministack.services import stepfunctions

from . import patch
from .knobs import KNOBS

# Bytes of a state's input or output as UTF-8. Source: Step Functions quotas, "Maximum input or output size".
MOST_STATE = 262_144


def close() -> None:
    patch.everywhere(stepfunctions._start_execution, start(stepfunctions._start_execution))
    patch.everywhere(stepfunctions._fail_execution, only_running(stepfunctions._fail_execution))
    patch.everywhere(stepfunctions._add_event, chained(stepfunctions._add_event))
    limit_state()
    fail_missing_variable()
    hand_on_errors()


def start(original):
    """The same name with the same input while it runs is the same execution; TimeoutSeconds ends it.

    Source: Step Functions API, StartExecution ("StartExecution is idempotent for STANDARD workflows"); Amazon States
    Language, TimeoutSeconds of the machine.
    """
    def start_execution(data):
        running = same_execution(data)
        if running:
            return json_response({"executionArn": running["executionArn"], "startDate": running["startDate"]})
        reply = original(data)
        if reply[0] == 200:
            set_timeout(stepfunctions._executions[json.loads(reply[2])["executionArn"]])
        return reply
    return start_execution


def same_execution(data: dict) -> dict | None:
    for execution in stepfunctions._executions.values():
        if (execution["status"] == "RUNNING" and execution["name"] == data.get("name")
                and execution["stateMachineArn"] == data.get("stateMachineArn")
                and execution["input"] == data.get("input", "{}")):
            return execution
    return None


def set_timeout(execution: dict) -> None:
    machine = stepfunctions._state_machines[execution["stateMachineArn"]]
    seconds = json.loads(machine["definition"]).get("TimeoutSeconds")
    if not seconds:
        return
    context = contextvars.copy_context()
    timer = threading.Timer(seconds * KNOBS["machine_timeout_scale"], lambda: context.run(time_out, execution))
    timer.daemon = True
    timer.start()


def time_out(execution: dict) -> None:
    if execution["status"] != "RUNNING":
        return
    execution.update(status="TIMED_OUT", error="States.Timeout", stopDate=now_iso())
    stepfunctions._add_event(execution, "ExecutionTimedOut",
                             {"executionTimedOutEventDetails": {"error": "States.Timeout"}})
    stepfunctions._emit_execution_status_event(execution)


def only_running(original):
    """An execution that was stopped or timed out stays so when its last task fails."""
    def fail_execution(execution, error, cause):
        if execution["status"] == "RUNNING":
            original(execution, error, cause)
    return fail_execution


def elsewhere(told: dict) -> dict:
    """An execution whose machine runs in a test's own process, as a test tells of it: {"arn", "input", "status", "error",
    "cause"}. Whoever asks Step Functions gets the answer that AWS would give, and no event is sent."""
    arn = told["arn"]
    region, account, name = (arn.split(":")[part] for part in (3, 4, 7))
    with request_scope(account, region):
        execution = stepfunctions._executions.setdefault(arn, {
            "executionArn": arn, "stateMachineArn": arn.replace(":execution:", ":stateMachine:").rpartition(":")[0],
            "name": name, "startDate": now_iso(), "stopDate": None, "input": told.get("input", "{}"), "output": None,
            "events": [],
        })
        execution.update(status=told["status"], error=told.get("error"), cause=told.get("cause"))
        if told["status"] != "RUNNING":
            execution["stopDate"] = now_iso()
    return {"executionArn": arn}


def chained(original):
    """Each event names the one before. Source: Step Functions API, HistoryEvent, previousEventId."""
    def add_event(execution, event_type, details=None):
        event = original(execution, event_type, details)
        event["previousEventId"] = event["id"] - 1
        return event
    return add_event


def limit_state() -> None:
    """A state of more than 256 KiB ends the execution, and no Catch sees it.

    Source: Amazon States Language, States.DataLimitExceeded: "terminal", not caught by States.ALL.
    """
    def refuse_large(state):
        if len(json.dumps(state, ensure_ascii=False).encode()) > MOST_STATE:
            raise stepfunctions._ExecutionError(
                "States.DataLimitExceeded", "The state/task returned a result with a size exceeding the maximum number "
                                            "of bytes service limit.")
    patch.rewrite(
        stepfunctions._run_execution,
        ('            _add_event(execution, f"{state_type}StateExited", {',
         '            _refuse_large(current_input)\n            _add_event(execution, f"{state_type}StateExited", {'),
        _refuse_large=refuse_large,
    )


def fail_missing_variable() -> None:
    """A Choice that reads a variable which is not there fails the execution.

    Source: Amazon States Language, Choice: a path that resolves to nothing is an error, except for IsPresent.
    """
    def refuse_missing(rule, value):
        if value is None and not {"IsPresent", "IsNull"} & set(rule):
            raise stepfunctions._ExecutionError(
                "States.Runtime", f"Invalid path '{rule['Variable']}': The choice state's condition path references an "
                                  "invalid value.")
    patch.rewrite(
        stepfunctions._evaluate_rule,
        ("    # --- type checks ---\n", "    _refuse_missing(rule, value)\n    # --- type checks ---\n"),
        _refuse_missing=refuse_missing,
    )


def hand_on_errors() -> None:
    """The Cause of a task whose function failed is what the function answered, as it stands there.

    Source: Step Functions developer guide, "Handling errors", "Cause"; a Rust function answers JSON without spaces.
    """
    patch.rewrite(
        stepfunctions._call_lambda,
        ("json.dumps(body))", 'json.dumps(body, separators=(",", ":"), ensure_ascii=False))'),
    )
