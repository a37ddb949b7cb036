#!/usr/bin/env python3
"""Answers each post with its body, and says each second that it lives: `heartbeat = { every = "1s" }`."""

import json
import sys
import threading
import time


def say(**message):
    # One write for each line, so that two threads do not write into each other's.
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def beat():
    while True:
        say(type="heartbeat")
        time.sleep(1)


threading.Thread(target=beat, daemon=True).start()
for line in sys.stdin:
    post = json.loads(line)
    say(type="reply", id=post["id"], body=post["body"])
