"""Sends a corpus of mail through the standard rules of builtin:filter on a real server, and counts which rules match.

    python3 filter_corpus.py PROGRAM FOLDER [FOLDER...]

A folder has messages in its files, one each, or several behind lines that begin with "From " (mbox), at any depth. The server
keeps what it takes in a directory that is thrown away; nothing leaves the machine. Rules that need to know the server's own
domains or its verification have nothing to go by here, since a file does not tell who brought it.
"""

import collections
import json
import os
import re
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading

PATIENCE_SECONDS = 60
SHOWN_MAX = 400
MATCHED = re.compile(r"^\w+; score (-?\d+): (.*)$")

CONFIG = """hostname = "mx.example.test"
data_dir = "{dir}/data"
[[listener]]
name = "mx"
bind = "127.0.0.1:0"
[relay]
networks = ["127.0.0.0/8"]
[limits]
messages_per_session_max = 1000000
commands_per_session_max = 10000000
errors_per_session_max = 1000000
[delivery]
paused = true
[log]
format = "json"
level = "debug"
[[plugin]]
name = "filter"
source = "builtin:filter"
allow = ["dns", "log", "metrics", "tables"]
edit = ["headers", "recipients"]
config = {{ standard = true, threshold = [] }}
"""


class Server:
    """The program under test; its log tells what the rules found."""

    def __init__(self, program):
        self.dir = tempfile.TemporaryDirectory()
        config = os.path.join(self.dir.name, "corpus.toml")
        with open(config, "w") as file:
            file.write(CONFIG.format(dir=self.dir.name))
        self.process = subprocess.Popen([program, "serve", "--config", config], stderr=subprocess.PIPE, text=True)
        self.lines, self.changed, self.port = [], threading.Condition(), None
        self.reader = threading.Thread(target=self.follow, daemon=True)
        self.reader.start()
        with self.changed:
            assert self.changed.wait_for(lambda: self.port, PATIENCE_SECONDS), "the program does not listen"

    def follow(self):
        for line in self.process.stderr:
            if not line.startswith("{"):
                sys.stderr.write(line)
                continue
            event = json.loads(line)
            if event.get("event") in ("listening", "plugin-log", "plugin-fault"):
                with self.changed:
                    self.lines.append(event)
                    if event["event"] == "listening":
                        self.port = int(event["address"].rsplit(":", 1)[1])
                    self.changed.notify_all()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_SECONDS)
        self.reader.join(PATIENCE_SECONDS)
        self.dir.cleanup()
        return self.lines


def messages(folder):
    """Names and octets of all messages below a folder."""
    for root, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                octets = file.read()
            if not octets.startswith(b"From "):
                yield path, octets
                continue
            for number, one in enumerate(re.split(rb"(?m)^From .*\r?\n", octets)[1:]):
                yield f"{path}#{number}", one


def main():
    program, folders = sys.argv[1], sys.argv[2:]
    server = Server(program)
    names, refused = {}, collections.Counter()
    smtp = smtplib.SMTP("127.0.0.1", server.port)
    smtp.ehlo("corpus.example")
    for folder in folders:
        for name, octets in messages(folder):
            smtp.mail("a@from.example", ["BODY=8BITMIME"])
            smtp.rcpt("b@example.test")
            code, text = smtp.data(re.sub(rb"\r\n|\r|\n", b"\r\n", octets))
            if code != 250:
                refused[text[:80]] += 1
                continue
            names[re.search(rb"[0-9A-Z]{26}", text)[0].decode()] = name
    smtp.quit()
    rules, steps, shown = collections.Counter(), collections.Counter(), []
    for line in server.end():
        if line.get("event") in ("plugin-fault", "plugin-poison"):
            sys.exit(f"a fault: {line}")
        found = MATCHED.match(line.get("message", "")) if line.get("event") == "plugin-log" else None
        if not found:
            continue
        score = int(found[1])
        for rule in found[2].split(", "):
            rules[rule] += 1
        step = "refused" if score >= 10 else "held" if score >= 6 else "tagged" if score >= 4 else "passed"
        steps[step] += 1
        shown.append((score, found[2], names.get(line.get("id"), "?")))
    print(f"{len(names)} messages taken, {sum(refused.values())} not: {dict(refused)}")
    print(f"{len(shown)} matched something; by the default thresholds: {dict(steps)}")
    for rule, count in rules.most_common():
        print(f"{count:7} {rule}")
    for score, found, name in sorted(shown, reverse=True)[:SHOWN_MAX]:
        print(f"{score:4} {name}: {found}")


main()
