"""Lets each peer have so many recipients in a time; beyond, it is told when to come back.

    allow = ["kv:rates"]
    config = { recipients = 100, seconds = 3600 }
"""

import json

from componentize_py_types import Err
from wit_world.imports import kv, session
from wit_world.imports.types import (
    EnhancedStatus,
    Fault_InvalidConfig,
    Gate_Next,
    Gate_Tempfail,
    Reply,
)

BUCKET = "rates"

recipients = 100
window_ms = 3_600_000


class Lifecycle:
    def configure(self, config_json):
        """Runs once, when the plugin is loaded: each call begins with what this leaves."""
        global recipients, window_ms
        config = json.loads(config_json)
        recipients = config.get("recipients", recipients)
        seconds = config.get("seconds", window_ms // 1000)
        if not all(isinstance(number, int) and 0 < number < 2**20 for number in (recipients, seconds)):
            raise Err(Fault_InvalidConfig("recipients and seconds are whole numbers from 1 to 1048575"))
        window_ms = seconds * 1000

    def self_test(self):
        pass


class OnRcpt:
    def handle(self, sender, to, params):
        peer = session.current().peer_ip
        taken = kv.take(BUCKET, peer, 1, recipients, window_ms)
        if isinstance(taken, kv.Taken_Remaining):
            return Gate_Next()
        seconds = -(-taken.value // 1000)
        return Gate_Tempfail(Reply(450, EnhancedStatus(4, 7, 1), f"too many recipients: come back in {seconds} s"))
