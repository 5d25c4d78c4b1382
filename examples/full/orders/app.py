"""Answers every event with what it is."""

import tools


def handler(event, context):
    return {"statusCode": 200, "body": tools.name_of(event)}
