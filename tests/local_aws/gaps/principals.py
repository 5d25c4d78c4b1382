"""Who calls, as conditions see it, and what is called."""

import json

from .patch import everywhere


def close() -> None:
    from ministack.core import iam_actions, iam_evaluator
    from ministack.services import kms

    resource = iam_actions.extract_resource_arn

    def extract(service, *arguments, **named):
        """A change set that is named by its ARN and without its stack is the resource, here everything.
        Service Authorization Reference, "AWS CloudFormation", DescribeEvents."""
        found = resource(service, *arguments, **named)
        if service == "cloudformation" and found == "*":
            parameters = next((a for a in (*arguments, *named.values()) if isinstance(a, dict) and "ChangeSetName" in a), {})
            name = (parameters.get("ChangeSetName") or [""])
            name = name[0] if isinstance(name, list) else name
            return name if name.startswith("arn:") else found
        if service == "kms" and ":alias/" in found:
            # The resource is the key, whatever it is named by. AWS KMS Developer Guide, "Controlling access to aliases".
            return (kms._resolve_key(found) or {}).get("Arn", found)
        if service == "states" and found == "*":
            # Tags are read of a resource. Service Authorization Reference, "AWS Step Functions", ListTagsForResource.
            body = next((a for a in (*arguments, *named.values()) if isinstance(a, bytes) and b'"resourceArn"' in a), b"{}")
            return json.loads(body).get("resourceArn", found)
        return found

    everywhere(resource, extract)
    original = iam_evaluator._resolve_condition_key

    def resolve(key, context):
        """A session's aws:PrincipalArn is the role's ARN, here the session's.
        IAM User Guide, "AWS global condition context keys", aws:PrincipalArn."""
        value = original(key, context)
        return role_of(value) if key.lower() == "aws:principalarn" else value

    everywhere(original, resolve)


def role_of(arn: str) -> str:
    """arn:aws:iam::1:role/r of arn:aws:sts::1:assumed-role/r/session; any other ARN is its own. Roles have no path here."""
    head, found, tail = arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{tail.split('/')[0]}" if found else arn
