"""Condition keys that MiniStack does not know, or knows too kindly: whose item a call is about, and whose bucket."""

import json

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import dynamodb, s3

from . import patch

S3_OBJECTS = "arn:aws:s3:::"


def close() -> None:
    patch.everywhere(iam_actions.dynamodb_service_context, with_leading_keys(iam_actions.dynamodb_service_context))
    patch.everywhere(iam_evaluator._resolve_condition_key, with_bucket_owner(iam_evaluator._resolve_condition_key))
    patch.everywhere(s3.handle_request, with_expected_owner(s3.handle_request))


def with_leading_keys(original):
    """dynamodb:LeadingKeys: the partition keys of all items that a call names; absent when it names none, as in a Scan.

    Source: DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control" and "Using IAM with
    DynamoDB transactions". Of a transaction every item is held against the keys of all its items, which is the strictest
    way to read them.
    """
    def service_context(body: bytes) -> dict:
        context = original(body)
        try:
            keys = leading_keys(json.loads(body or b"{}"))
        except (ValueError, TypeError, AttributeError, KeyError):
            keys = []
        return {**context, "dynamodb:LeadingKeys": sorted(set(keys))} if keys else context
    return service_context


def leading_keys(request: dict) -> list[str]:
    """The values of the partition keys in a request of any item action."""
    table, found = request.get("TableName"), []
    if "TransactItems" in request:
        for item in request["TransactItems"]:
            for part in item.values():
                found += leading_keys(part)
    elif "RequestItems" in request:
        for name, asked in request["RequestItems"].items():
            wanted = asked["Keys"] if isinstance(asked, dict) else [
                write.get("PutRequest", {}).get("Item") or write["DeleteRequest"]["Key"] for write in asked]
            found += [value_of(item[partition_key(name)]) for item in wanted]
    elif "KeyConditionExpression" in request:
        found += queried(request, partition_key(table, request.get("IndexName")))
    elif "KeyConditions" in request:
        condition = request["KeyConditions"][partition_key(table, request.get("IndexName"))]
        found += [value_of(value) for value in condition["AttributeValueList"]]
    elif "Key" in request or "Item" in request:
        found.append(value_of((request.get("Key") or request["Item"])[partition_key(table)]))
    return found


def partition_key(table: str, index: str | None = None) -> str:
    """The name of a table's or an index's partition key."""
    found = dynamodb._tables.get_scoped(get_account_id(), get_region(), table.rsplit("/", 1)[-1])
    indexes = [*(found.get("GlobalSecondaryIndexes") or []), *(found.get("LocalSecondaryIndexes") or [])]
    schema = next((one["KeySchema"] for one in indexes if one["IndexName"] == index), found["KeySchema"])
    return next(part["AttributeName"] for part in schema if part["KeyType"] == "HASH")


def queried(request: dict, name: str) -> list[str]:
    """The value that a Query's key condition gives the partition key: `key = :value`, in this order or the other."""
    names = request.get("ExpressionAttributeNames") or {}
    words = request["KeyConditionExpression"].replace("(", " ").replace(")", " ").replace("=", " = ").split()
    found = []
    for at, word in enumerate(words):
        if word == "=":
            left, right = words[at - 1], words[at + 1]
            for attribute, value in ((left, right), (right, left)):
                if names.get(attribute, attribute) == name:
                    found.append(value_of(request["ExpressionAttributeValues"][value]))
    return found


def value_of(attribute: dict) -> str:
    """A key as a condition sees it."""
    return str(next(iter(attribute.values())))


def with_bucket_owner(original):
    """aws:ResourceAccount of a bucket and of its objects is the account that has the bucket, whoever asks.

    Source: IAM User Guide, "AWS global condition context keys", aws:ResourceAccount. A bucket's ARN names no account,
    and MiniStack takes the caller's.
    """
    def resolve(key, context):
        if key.lower() in ("aws:resourceaccount", "s3:resourceaccount") and context.resource_arn.startswith(S3_OBJECTS):
            return s3._bucket_owner_account(context.resource_arn.removeprefix(S3_OBJECTS).split("/", 1)[0])
        return original(key, context)
    return resolve


def with_expected_owner(original):
    """A request that expects another account to own the bucket is refused.

    Source: Amazon S3 User Guide, "Verifying bucket ownership with bucket owner condition".
    """
    async def handle_request(method, path, headers, body, query_params):
        expected = headers.get("x-amz-expected-bucket-owner")
        owner = s3._bucket_owner_account(path.lstrip("/").partition("/")[0])
        if expected and owner and expected != owner:
            return s3._error("AccessDenied", "Access Denied", 403, path)
        return await original(method, path, headers, body, query_params)
    return handle_request
