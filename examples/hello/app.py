"""Says hello to whoever asks."""

import json


def handler(event, _context):
    """Answers an API Gateway proxy event."""
    name = (event.get("queryStringParameters") or {}).get("name", "world")
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"message": f"hello, {name}"}),
    }
