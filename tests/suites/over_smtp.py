"""Runs the public suites of SPF (RFC 7208) and ARC (RFC 8617) over SMTP against a real server, and counts.

    python3 over_smtp.py PROGRAM rfc7208-tests.yml arc-draft-validation-tests.yml

It needs dnslib and PyYAML. For each scenario it serves the suite's records as a name server, starts the program with a
listener that believes the PROXY protocol (so that each case comes from the address that it names), sends each case as mail,
and reads the results from the log. All of it is on loopback.
"""

import collections
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import dnslib
import dnslib.server
import yaml

PATIENCE_SECONDS = 40
QUIET = dnslib.server.DNSLogger("-request,-reply,-truncated,-error")


class Zone(dnslib.server.BaseResolver):
    """Records by name and type; a name with TIMEOUT is not answered."""

    def __init__(self):
        self.records = collections.defaultdict(list)

    def add(self, name, kind, value):
        self.records[name.rstrip(".").lower()].append((kind, value))

    def resolve(self, request, handler):
        reply = request.reply()
        name, kind = b".".join(request.q.qname.label).decode("latin-1").lower(), dnslib.QTYPE[request.q.qtype]
        for _ in range(8):
            found = self.records.get(name)
            if found is None:
                reply.header.rcode = dnslib.RCODE.NXDOMAIN
                return reply
            aliases = [value for known, value in found if known == "CNAME"]
            if not aliases or kind == "CNAME":
                break
            reply.add_answer(dnslib.RR(name, dnslib.QTYPE.CNAME, rdata=dnslib.CNAME(aliases[0]), ttl=1))
            name = aliases[0].rstrip(".").lower()
        values = [value for known, value in found if known == kind]
        if not values and any(known in ("TIMEOUT", "CNAME") for known, _ in found):
            reply.header.rcode = dnslib.RCODE.SERVFAIL
            return reply
        for value in values:
            reply.add_answer(dnslib.RR(name, request.q.qtype, rdata=data(kind, value), ttl=1))
        return reply


def data(kind, value):
    if kind == "MX":
        return dnslib.MX(value[1], int(value[0]))
    if kind == "TXT":
        parts = value if isinstance(value, list) else [value]
        octets = [part.encode("latin-1", "replace") for part in parts]
        return dnslib.TXT([part[at:at + 255] for part in octets for at in range(0, len(part) or 1, 255)])
    return {"A": dnslib.A, "AAAA": dnslib.AAAA, "PTR": dnslib.PTR}[kind](value)


def spf_zone(zonedata):
    """Records of the old type SPF stand for TXT where a name has none of its own."""
    zone = Zone()
    for name, records in zonedata.items():
        has_txt = any(isinstance(record, dict) and "TXT" in record for record in records)
        for record in records:
            if not isinstance(record, dict):
                zone.add(name, record, None)
                continue
            for kind, value in record.items():
                if kind == "SPF":
                    kind = "NONE" if has_txt else "TXT"
                elif kind == "TXT" and value == "NONE":
                    kind = "NONE"
                zone.add(name, kind, value)
    return zone


def arc_zone(document):
    zone = Zone()
    for name, value in (document.get("txt-records") or {}).items():
        zone.add(name, "TXT", value)
    return zone


class Server:
    """A name server with the zone, and the program under test that asks it."""

    def __init__(self, program, zone):
        self.names, self.tcp, port = names(zone)
        self.names.start_thread()
        self.tcp.start_thread()
        self.dir = tempfile.TemporaryDirectory()
        config = os.path.join(self.dir.name, "suite.toml")
        with open(config, "w") as file:
            file.write(f"""hostname = "mx.example.test"
data_dir = "{self.dir.name}/data"
[[listener]]
name = "mx"
bind = "127.0.0.1:0"
proxy_from = ["127.0.0.0/8"]
[relay]
domains = ["ours.example"]
[delivery]
paused = true
dns_servers = ["127.0.0.1:{port}"]
[storage]
engine = "danger_memory"
[log]
format = "json"
""")
        self.process = subprocess.Popen([program, "serve", "--config", config], stderr=subprocess.PIPE, text=True)
        self.results, self.changed = {}, threading.Condition()
        self.port = None
        threading.Thread(target=self.follow, daemon=True).start()
        with self.changed:
            assert self.changed.wait_for(lambda: self.port, PATIENCE_SECONDS), "the program does not listen"

    def follow(self):
        for line in self.process.stderr:
            if not line.startswith("{"):
                sys.stderr.write(line)
                continue
            event = json.loads(line)
            with self.changed:
                if event.get("event") == "listening":
                    self.port = int(event["address"].rsplit(":", 1)[1])
                if event.get("event") == "verified":
                    self.results[event["id"]] = event["results"]
                self.changed.notify_all()

    def judge(self, peer, helo, sender, message):
        """What the program says of a message; a refusal's text where it takes none."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS) as client:
            stream = client.makefile("rwb")
            family, ours = ("TCP6", "::1") if ":" in peer else ("TCP4", "127.0.0.1")
            stream.write(f"PROXY {family} {peer} {ours} 2525 25\r\n".encode())
            said = say(stream, None, b"220")
            for command, wanted in (
                (f"EHLO {helo}", b"250"), (f"MAIL FROM:<{sender}>", b"250"), ("RCPT TO:<a@ours.example>", b"250"),
                ("DATA", b"354"),
            ):
                said = say(stream, command.encode("utf-8"), wanted)
                if not said.startswith(wanted):
                    return "refused: " + said.decode("latin-1").strip()
            octets = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            stream.write(re.sub(rb"(?m)^\.", b"..", octets) + (b"" if octets.endswith(b"\r\n") else b"\r\n"))
            said = say(stream, b".", b"250")
        found = re.search(rb"queued as (\S+)", said) or re.search(rb"250 2\.0\.0 (\S+)", said)
        if not found:
            return "refused: " + said.decode("latin-1").strip()
        name = found[1].decode()
        with self.changed:
            assert self.changed.wait_for(lambda: name in self.results, PATIENCE_SECONDS), f"nothing is said of {name}"
            return self.results[name]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_SECONDS)
        self.names.stop()
        self.tcp.stop()
        self.dir.cleanup()


def names(zone):
    """Servers by UDP and TCP, at the same port."""
    while True:
        tcp = dnslib.server.DNSServer(zone, address="127.0.0.1", port=0, tcp=True, logger=QUIET)
        port = tcp.server.server_address[1]
        try:
            return dnslib.server.DNSServer(zone, address="127.0.0.1", port=port, logger=QUIET), tcp, port
        except OSError:
            tcp.server.server_close()


def say(stream, line, wanted):
    if line is not None:
        stream.write(line + b"\r\n")
    stream.flush()
    while True:
        reply = stream.readline()
        if not reply or reply[3:4] != b"-":
            return reply


def spf(server, case):
    expected = case["result"] if isinstance(case["result"], list) else [case["result"]]
    sender = case.get("mailfrom") or ""
    if sender:
        local, _, domain = sender.rpartition("@")
        local = local or "postmaster"
        sender = f"{local}@{domain}" if re.fullmatch(r"[\w.+=!#$%&'*/?^`{|}~-]+", local) else f'"{local}"@{domain}'
    said = server.judge(case["host"], case["helo"], sender, b"Subject: x\n\nx\n")
    found = re.findall(r"\bspf=(\w+)", said)
    return expected, found[-1] if found else said if said.startswith("refused") else "none"


def arc(server, case):
    said = server.judge("192.0.2.1", "client.example", "", case["message"].encode("latin-1", "replace"))
    found = re.search(r"\barc=(\w+)", said)
    # Where it expects nothing, an older draft left open what RFC 8617 5.2 says is a failure.
    return [case.get("cv") or "fail"], found[1].lower() if found else said if said.startswith("refused") else "none"


def main():
    program, counts, others = sys.argv[1], collections.Counter(), []
    for path in sys.argv[2:]:
        with open(path) as file:
            documents = [document for document in yaml.load_all(file, yaml.BaseLoader) if document]
        for document in documents:
            kind, zone = (spf, spf_zone(document["zonedata"])) if "zonedata" in document else (arc, arc_zone(document))
            server = Server(program, zone)
            for name, case in document["tests"].items():
                expected, got = kind(server, case)
                good = got.lower() in [one.lower() for one in expected]
                counts[kind.__name__, good] += 1
                if not good:
                    others.append(f"{kind.__name__} {name}: expected {' or '.join(expected)}, got {got}")
            server.stop()
    for kind in ("spf", "arc"):
        print(f"{kind}: {counts[kind, True]} as expected, {counts[kind, False]} otherwise")
    print("\n".join(others))


if __name__ == "__main__":
    main()
