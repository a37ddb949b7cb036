#!/usr/bin/env python3
"""Answers each post with its body."""

import json
import sys


def say(**message):
    print(json.dumps(message), flush=True)


say(type="status", state="ready")
for line in sys.stdin:
    post = json.loads(line)
    say(type="reply", id=post["id"], body=post["body"])
