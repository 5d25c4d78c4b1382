"""Lambda and DynamoDB streams: what becomes of a batch that a function took only in part."""

import json
import time

from ministack.services import lambda_svc

from . import patch
from .knobs import KNOBS


def close() -> None:
    """A function that reports a failure gets the batch again from there on, and what came before it not again.

    Source: Lambda Developer Guide, "Configuring partial batch response with DynamoDB and Lambda".
    """
    patch.rewrite(
        lambda_svc._poll_dynamodb_streams,
        ("            raw_len = len(batch)\n", "            raw_len, raw = len(batch), batch\n"),
        ('_dynamodb_stream_positions[esm_id] = pos + raw_len\n                esm["LastProcessingResult"]',
         '_dynamodb_stream_positions[esm_id] = pos + taken(esm, raw, result)\n                esm["LastProcessingResult"]'),
        taken=taken)
    patch.everywhere(lambda_svc._poll_dynamodb_streams, unless_off(lambda_svc._poll_dynamodb_streams))


def unless_off(original):
    """Where the machine runs in process no Lambda is built, and there is nobody to hear of a stream."""
    def poll():
        return bool(KNOBS["streams"]) and original()
    return poll


def taken(esm: dict, batch: list[dict], result: dict) -> int:
    """How many of the batch's records the function is done with."""
    body = result.get("body")
    if isinstance(body, str):
        body = json.loads(body)
    reports = "ReportBatchItemFailures" in (esm.get("FunctionResponseTypes") or [])
    failures = ((body or {}).get("batchItemFailures") or []) if reports else []
    failed = {failure["itemIdentifier"] for failure in failures}
    for number, record in enumerate(batch):
        if str(record["dynamodb"]["SequenceNumber"]) in failed:
            lambda_svc._esm_backoff_until[esm["UUID"]] = time.time() + lambda_svc._ESM_BACKOFF_SECONDS
            return number
    return len(batch)
