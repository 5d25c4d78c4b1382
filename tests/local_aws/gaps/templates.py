"""Where CloudFormation reads a template from, and what it finds wrong with it."""

import contextvars
import functools
import json
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import enforce
from ministack.core.responses import get_account_id, get_region
from ministack.services import s3
from ministack.services.cloudformation import changesets, engine, helpers

from . import front, objects, patch

# Why the template of the change set that is being made can't be used, once that is known.
FAULT: contextvars.ContextVar[str] = contextvars.ContextVar("fault", default="")

TRANSFORM_FAILED = "Transform AWS::Serverless-2016-10-31 failed with: "


def close() -> None:
    patch.everywhere(helpers._resolve_document, template_url(helpers._resolve_document))
    changesets._apply_transforms = failing_transform(changesets._apply_transforms)
    changesets.validate_template_support = judged_later(changesets.validate_template_support)


def template_url(original):
    """TemplateURL: path style and virtual host, of exactly the version it names, read with the caller's own rights. In
    another account's bucket they need that bucket's policy, too.

    Source: CloudFormation API, CreateChangeSet, TemplateURL; Amazon S3, "Virtual hosting of general purpose buckets"; IAM
    User Guide, "Cross-account policy evaluation logic".
    """
    def resolve(params, body_key, url_key, label):
        url = helpers._p(params, url_key)
        if helpers._p(params, body_key) or not url:
            return original(params, body_key, url_key, label)
        bucket, key, version = parse_url(url)
        if not bucket:
            return None, helpers._error("ValidationError", f"{url_key} must reference a valid S3 object to which you have access.")
        may_read = "s3:GetObjectVersion" if version else "s3:GetObject"
        denied = enforce(front.ACCESS_KEY.get(), may_read, "s3", get_region(), resource_arn=f"arn:aws:s3:::{bucket}/{key}")
        data = None if denied or not lent(bucket, key, may_read) else objects.read(bucket, key, version)
        if data is None:
            return None, helpers._error("ValidationError", "S3 error: Access Denied")
        if len(data) > helpers.TEMPLATE_URL_MAX_BYTES:
            return None, helpers._error("ValidationError",
                                        f"Template may not exceed {helpers.TEMPLATE_URL_MAX_BYTES} bytes in size.")
        return data.decode(), None
    return resolve


def lent(bucket: str, key: str, action: str) -> bool:
    """Whether the bucket is the caller's account's own, or its policy lets the caller in."""
    owner, account = s3._bucket_owner_account(bucket), get_account_id()
    if owner in (None, account):
        return True
    caller = iam_evaluator.caller_arn()
    context = iam_evaluator.EvalContext(
        principal_arn=caller, principal_type="AssumedRole", principal_account=account, action=action,
        resource_arn=f"arn:aws:s3:::{bucket}/{key}", region=get_region())
    policy = s3._bucket_policies.get_scoped(owner, None, bucket)
    return iam_evaluator.evaluate_resource_policy(policy, context).decision == "Allow"


def parse_url(url: str) -> tuple[str, str, str | None]:
    """Bucket, key and version of an S3 URL of either style; an empty bucket when it is none."""
    parsed = urlparse(url)
    path = unquote(parsed.path).lstrip("/")
    version = parse_qs(parsed.query).get("versionId", [None])[0]
    host = parsed.hostname or ""
    for mark in (".s3.", ".s3-"):
        if mark in host:
            return host.split(mark)[0], path, version
    bucket, _, key = path.partition("/")
    return (bucket, key, version) if key else ("", "", None)


def failing_transform(original):
    """A template that the SAM transform refuses: CreateChangeSet succeeds, and the change set FAILED.

    Source: CloudFormation user guide, "Template macros": transforms run while the change set is made.
    """
    def apply(template, *rest):
        try:
            return original(template, *rest)
        except Exception as fault:
            if not template.get("Transform"):
                raise
            FAULT.set(TRANSFORM_FAILED + str(fault))
            return {"Resources": {}}
    return apply


def judged_later(original):
    """What MiniStack finds wrong with a template that was transformed fails the change set, not the call."""
    def validate(template, *rest, **named):
        try:
            original(template, *rest, **named)
        except ValueError as fault:
            FAULT.set(FAULT.get() or str(fault))
    return validate


def fault_of(template: dict) -> str:
    """What AWS finds wrong with a processed template while it makes the change set; empty when nothing."""
    return FAULT.get() or unresolved(template) or unknown_properties(template)


def unresolved(template: dict) -> str:
    """A Ref or GetAtt of what the template does not have.

    Source: CloudFormation user guide, "Troubleshooting CloudFormation", template format errors.
    """
    known = set(template.get("Resources", {})) | set(template.get("Parameters", {}))
    for block in ("Resources", "Outputs"):
        missing = sorted({name for name, _ in engine._intrinsic_references(template.get(block, {}))
                          if name not in known and not name.startswith("AWS::")})
        if missing:
            return (f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] "
                    f"in the {block} block of the template")
    return ""


def unknown_properties(template: dict) -> str:
    """A property that its resource type does not have, on the top level.

    Source: CloudFormation user guide, "Validate stack deployments": property syntax is checked before deployment.
    """
    for logical_id, resource in template.get("Resources", {}).items():
        known = properties_of(resource.get("Type", ""))
        unknown = sorted(set(resource.get("Properties") or {}) - known) if known else []
        if unknown:
            return f"Properties validation failed for resource {logical_id} with message: [#: extraneous key [{unknown[0]}] is not permitted]"
    return ""


@functools.cache
def properties_of(resource_type: str) -> frozenset[str]:
    """The properties of a resource type by its registry schema (as cfn-lint ships it); empty when it is open or unknown."""
    import cfnlint

    schemas = Path(cfnlint.__file__).parent / "data" / "schemas"
    known = json.loads((schemas / "providers" / "us-east-1.json").read_text())
    if resource_type not in known:
        return frozenset()
    schema = json.loads((schemas / "resources" / f"{known[resource_type]}.json").read_text())
    if schema.get("additionalProperties", True):
        return frozenset()
    return frozenset(schema["properties"])
