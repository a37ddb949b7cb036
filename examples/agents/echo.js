#!/usr/bin/env node
// Answers each post with its body.
"use strict";

const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

say({ type: "status", state: "ready" });
require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const post = JSON.parse(line);
    say({ type: "reply", id: post.id, body: post.body });
  });
