"""Who calls, as conditions see it."""

from .patch import everywhere


def close() -> None:
    from ministack.core import iam_evaluator

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
