"""EventBridge: whom a rule reaches, and what becomes of a function that fails."""

import json

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, lambda_svc, sns

from . import patch
from .knobs import KNOBS

EVENTBRIDGE = "events.amazonaws.com"


def close() -> None:
    patch.everywhere(eventbridge._invoke_target, permitted(eventbridge._invoke_target))
    patch.everywhere(eventbridge._dispatch_to_lambda, dispatch_to_lambda)
    patch.everywhere(eventbridge._parse_rate_seconds, scaled(eventbridge._parse_rate_seconds))
    # Seconds between two looks at the clock.
    eventbridge._SCHEDULER_TICK_INTERVAL = 1


def scaled(original):
    """A test need not wait for a quarter of an hour."""
    def parse_rate_seconds(expression):
        seconds = original(expression)
        return seconds and seconds * KNOBS["schedule_scale"]
    return parse_rate_seconds


def permitted(original):
    """A function or a topic hears of an event only if its own policy lets EventBridge reach it.

    Source: EventBridge User Guide, "Using resource-based policies for Amazon EventBridge".
    """
    def invoke_target(target, event, rule, *rest):
        if may_reach(target.get("Arn", ""), rule.get("Arn", "")):
            original(target, event, rule, *rest)
    return invoke_target


def may_reach(target: str, rule: str) -> bool:
    service = target.split(":")[2:3]
    if service == ["sns"]:
        return sns.topic_policy_allows(target, EVENTBRIDGE, rule, get_account_id())
    if service != ["lambda"]:
        return True
    function, _, _ = lambda_svc._get_func_record_for_ref(target)
    caller = iam_evaluator.EvalContext(
        principal_arn="*", principal_type="Service", principal_account="", action="lambda:InvokeFunction",
        resource_arn=target, region=get_region(),
        service_context={"aws:sourcearn": rule, "aws:sourceaccount": get_account_id()})
    policy = json.dumps((function or {}).get("policy") or {})
    return iam_evaluator.evaluate_resource_policy(policy, caller, service=EVENTBRIDGE).decision == "Allow"


def dispatch_to_lambda(arn: str, payload: str) -> None:
    """A function is invoked asynchronously: one that fails is tried again, twice unless its configuration says otherwise.

    Source: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation".
    """
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if function and config:
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry({**function, **record}, json.loads(payload))
