"""In front of every request: TLS, the log of calls, the faults that a test ordered, and the knobs.

`/_fenrir/knobs` (POST), `/_fenrir/faults` (POST a list, DELETE), `/_fenrir/calls` (GET, DELETE),
`/_fenrir/executions` (POST) and `/_fenrir/lambda?account=&region=&name=` (GET) are for tests.
"""

import asyncio
import contextvars
import json
from urllib.parse import parse_qs

from ministack import app as ministack
from ministack.core import iam_actions, iam_evaluator, lambda_runtime, router
from ministack.core.responses import get_region, request_scope
from ministack.services import lambda_svc, s3, sts

from . import knobs, machines, patch

# The access key of the request, for gaps that read something in the caller's name.
ACCESS_KEY: contextvars.ContextVar[str] = contextvars.ContextVar("access_key", default="")
CALLS: list[dict] = []
FAULTS: list[dict] = []


def close() -> None:
    ministack.app = front(ministack.app)
    patch.everywhere(s3.handle_request, hidden_keys(s3.handle_request))


def front(original):
    async def application(scope, receive, send):
        if scope["type"] != "http":
            return await original(scope, receive, send)
        body = await read(receive)
        if scope["path"].startswith("/_fenrir/"):
            return await control(scope, body, send)
        over_tls(scope)
        call = describe(scope, body)
        ACCESS_KEY.set(call["access_key"])
        if call["action"]:
            CALLS.append(call)
        fault = take_fault(call)
        if fault:
            call["fault"] = fault["fault"]
            return await FAULT_KINDS[fault["fault"]](original, scope, body, receive, send, fault)
        return await original(scope, replay(body, receive), send)
    return application


async def read(receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            return body


def replay(body: bytes, receive):
    """What the application reads instead of the body that was read already."""
    sent = False

    async def again():
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}
    return again


def over_tls(scope) -> None:
    """AWS is reached by TLS, and a bucket policy may demand it; here the gateway is plain HTTP on one machine."""
    scope["headers"] = [*scope["headers"], (b"x-forwarded-proto", b"https")]


def describe(scope, body: bytes) -> dict:
    """Who calls what: the IAM action, such as `s3:PutObject`, the access key and its session."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope.get("query_string", b"").decode(), keep_blank_values=True)
    method, path = scope["method"], scope["path"]
    parameters = ministack._routing_params(method, path, headers, body, query)
    service = router.detect_service(method, path, headers, parameters)
    action = iam_actions.extract_iam_action(service, method, path, headers, body, parameters)
    key = router.extract_access_key_id(headers, query) or ""
    return {"action": action or "", "access_key": key, "path": path, "user_agent": headers.get("user-agent", ""),
            **session_of(key)}


def session_of(access_key: str) -> dict:
    """Who calls, as CloudTrail tells it of a role's session: the ARN, which ends with the session's name, and its tags."""
    session = sts._sessions.get(access_key) or {}
    return {"caller": session.get("Arn", ""),
            "session_tags": {tag["Key"]: tag["Value"] for tag in session.get("SessionTags") or []}}


def take_fault(call: dict) -> dict | None:
    """The first fault ordered for this action; `skip` calls pass before it, and it strikes `times` times."""
    for fault in FAULTS:
        if fault["action"] != call["action"] or fault["times"] <= 0:
            continue
        if fault["skip"] > 0:
            fault["skip"] -= 1
            return None
        fault["times"] -= 1
        return fault
    return None


async def control(scope, body: bytes, send):
    what, method = scope["path"].removeprefix("/_fenrir/"), scope["method"]
    try:
        if what == "knobs":
            result = knobs.turn(json.loads(body or b"{}"))
        elif what == "faults":
            FAULTS[:] = [ordered(fault) for fault in json.loads(body or b"[]")] if method == "POST" else []
            result = FAULTS
        elif what == "executions":
            result = machines.elsewhere(json.loads(body))
        elif what == "lambda":
            result = lambda_context(parse_qs(scope["query_string"].decode()))
        elif what == "calls":
            result = list(CALLS)
            if method == "DELETE":
                CALLS.clear()
        else:
            return await reply(send, 404, {"error": f"no {what}; there are knobs, faults, calls, executions, lambda"})
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        return await reply(send, 400, {"error": str(fault)})
    await reply(send, 200, result)


def lambda_context(query: dict) -> dict:
    """What a function runs with, for a test that runs its code itself: its role's credentials and its environment."""
    account, region, name = (query[part][0] for part in ("account", "region", "name"))
    with request_scope(account, region):
        config = lambda_svc._functions[name]["config"]
        return {"credentials": lambda_runtime.execution_credentials(config), "environment": config["Environment"]["Variables"]}


def ordered(fault: dict) -> dict:
    """A fault as a test orders it: {"action", "fault", "times" (1), "skip" (0), "seconds" (of `slow` and `late`)}."""
    if fault.get("fault") not in FAULT_KINDS:
        raise ValueError(f"no fault {fault.get('fault')!r}; there are {', '.join(FAULT_KINDS)}")
    return {"action": fault["action"], "fault": fault["fault"], "times": int(fault.get("times", 1)),
            "skip": int(fault.get("skip", 0)), "seconds": float(fault.get("seconds", 30))}


async def reply(send, status: int, result) -> None:
    await respond(send, status, json.dumps(result).encode(), "application/json")


async def respond(send, status: int, body: bytes, content_type: str) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error(status: int, code: str):
    """A fault that is a service's own error: in XML for the query protocol and S3, in JSON for the rest."""
    async def strike(_original, scope, body, _receive, send, _fault):
        headers = {name.lower(): value for name, value in scope["headers"]}
        if b"x-amz-target" in headers:
            answer = json.dumps({"__type": code, "message": "a fault that a test ordered"}).encode()
            return await respond(send, status, answer, "application/x-amz-json-1.0")
        detail = f"<Code>{code}</Code><Message>a fault that a test ordered</Message>"
        wrapped = f"<ErrorResponse><Error>{detail}</Error></ErrorResponse>" if b"Action=" in body else f"<Error>{detail}</Error>"
        if b"/ec2/aws4_request" in headers.get(b"authorization", b""):
            # EC2 has a form of its own. Source: Amazon EC2 API, "Error codes for the Amazon EC2 API".
            wrapped = f"<Response><Errors><Error>{detail}</Error></Errors></Response>"
        await respond(send, status, wrapped.encode(), "text/xml")
    return strike


async def answered(original, scope, body, receive) -> list[dict]:
    """The answer of a call, not sent yet."""
    answer = []

    async def keep(message):
        answer.append(message)
    await original(scope, replay(body, receive), keep)
    return answer


async def broken(send, answer=()) -> None:
    """The connection breaks in the middle of the answer."""
    start = next((message for message in answer if message["type"] == "http.response.start"), {"status": 200, "headers": []})
    sent = b"".join(message.get("body", b"") for message in answer) or b"<"
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    # More than ever comes.
    headers.append((b"content-length", str(len(sent) + 1000).encode()))
    await send({"type": "http.response.start", "status": start["status"], "headers": headers})
    await send({"type": "http.response.body", "body": sent[:1000], "more_body": True})
    raise ConnectionResetError("a fault that a test ordered")


async def reset(original, scope, body, receive, send, _fault):
    # Of a download the beginning may have come, with its headers.
    await broken(send, await answered(original, scope, body, receive) if scope["method"] == "GET" else ())


async def lost(original, scope, body, receive, send, _fault):
    """The call takes effect, and its answer is lost: the fault that finds most."""
    await broken(send, await answered(original, scope, body, receive))


async def slow(original, scope, body, receive, send, fault):
    await asyncio.sleep(fault["seconds"])
    await original(scope, replay(body, receive), send)


async def late(original, scope, body, receive, send, fault):
    """The call takes effect at once, and its answer comes when nobody may be waiting for it any more."""
    answer = await answered(original, scope, body, receive)
    await asyncio.sleep(fault["seconds"])
    for message in answer:
        await send(message)


async def garbled(original, scope, body, receive, send, fault):
    """The call takes effect, and nobody understands the answer."""
    await answered(original, scope, body, receive)
    await garbage(original, scope, body, receive, send, fault)


async def garbage(_original, _scope, _body, _receive, send, _fault):
    await respond(send, 200, b"\x00<<{not an answer", "text/plain")


FAULT_KINDS = {
    "throttled": error(400, "ThrottlingException"),
    "failed": error(500, "InternalFailure"),
    "unavailable": error(503, "ServiceUnavailable"),
    "denied": error(403, "AccessDenied"),
    "reset": reset,
    "lost": lost,
    "slow": slow,
    "late": late,
    "garbage": garbage,
    "garbled": garbled,
}


def hidden_keys(original):
    """A missing key is 403 for whoever may not list the bucket.

    Source: Amazon S3 API, GetObject: "if you don't have the s3:ListBucket permission, Amazon S3 returns 403".
    """
    async def handle_request(method, path, headers, body, query_params):
        answer = await original(method, path, headers, body, query_params)
        bucket, _, key = path.lstrip("/").partition("/")
        if answer[0] != 404 or method not in ("GET", "HEAD") or not key or bucket not in s3._buckets:
            return answer
        denied = iam_evaluator.enforce(ACCESS_KEY.get(), "s3:ListBucket", "s3", get_region(),
                                       resource_arn=f"arn:aws:s3:::{bucket}")
        return s3._error("AccessDenied", "Access Denied", 403, path) if denied else answer
    return handle_request
