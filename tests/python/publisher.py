"""Devices that publish by paho-mqtt or HTTPS, through restarts of the server; most as fast as they are acknowledged.

The first line on stdin says who they are:
    {told, payload_len, clients: [{id, site, ca, certificate, key, version}]}
Then one command a line:
    go PORT S   connect to these ports, of MQTT and of HTTPS, and publish; answered by `going` once all are connected
    hush        publish nothing new, keep the connections
    pause       publish nothing new and let the connections go; answered by `paused`
    settle N    wait until all that was sent is acknowledged, at most N seconds; answered by `settled LEFT`
    count       answered by `counted SENT ACKED`
    end
Each message is counted by its device; what was sent and what was acknowledged goes to the file `told`, one JSON
object a line. A message that was not acknowledged is sent again when its device is connected again; so is one that
was answered with 503, of which `told` says so. A device of the version `https` posts one message after the other;
one of the version `wave` posts blocks of an ECG that way, each when its last sample is there.
"""

import base64
import http.client
import json
import queue
import ssl
import sys
import threading
import time
import uuid

import cbor2
import google_crc32c
import paho.mqtt.client as mqtt

IN_FLIGHT_MAX = 16
CONNECT_WITHIN_S = 15

wish = json.loads(sys.stdin.readline())
told = open(wish["told"], "a", buffering=1)
told_lock = threading.Lock()
# With a payload, messages are events that carry their number and fill; without, they are heart rates or an ECG.
payload_len = wish.get("payload_len") or 0


def tell(what, **more):
    with told_lock:
        told.write(json.dumps({"what": what, **more}) + "\n")


class Device:
    def __init__(self, paper, boot):
        self.id, self.site, self.boot = paper["id"], paper["site"], boot
        self.seq, self.acked, self.last_ms = 0, 0, 0
        self.numbers = {}
        self.answers = queue.SimpleQueue()
        self.connected, self.wanted = False, False
        # Guards all of the above but the answers, and tells of every change of them.
        self.changed = threading.Condition()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=self.id,
            protocol=mqtt.MQTTv5 if paper["version"] == "5" else mqtt.MQTTv311,
        )
        self.client.tls_set(
            paper["ca"], paper["certificate"], paper["key"], tls_version=ssl.PROTOCOL_TLS_CLIENT
        )
        self.client.max_inflight_messages_set(IN_FLIGHT_MAX)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = self.on_connect
        self.client.on_disconnect = self.on_disconnect
        self.client.on_publish = self.on_publish
        threading.Thread(target=self.live, daemon=True).start()

    def on_connect(self, client, userdata, flags, code, properties):
        self.change(connected=not code.is_failure)

    def on_disconnect(self, client, userdata, flags, code, properties):
        self.change(connected=False)

    def on_publish(self, client, userdata, mid, code, properties):
        self.answers.put((mid, 0 if isinstance(code, int) else code.value))
        self.change()

    def change(self, **what):
        # paho calls while it holds its own lock, so nothing that takes long is done under this one.
        with self.changed:
            vars(self).update(what)
            self.changed.notify_all()

    def wait_for(self, condition, within_s=None):
        with self.changed:
            return self.changed.wait_for(condition, within_s)

    def may_send(self):
        return self.wanted and self.connected and len(self.numbers) < IN_FLIGHT_MAX

    def hear(self):
        while not self.answers.empty():
            mid, code = self.answers.get()
            tell("acked", device=self.id, seq=self.numbers[mid], code=code)
            self.acked += 1
            with self.changed:
                del self.numbers[mid]
                self.changed.notify_all()

    def stamp(self):
        # An instant of its own for each message: of two readings of one instant one counts.
        self.last_ms = max(time.time_ns() // 1_000_000, self.last_ms + 1)
        return self.last_ms

    def message(self, seq, at_ms):
        at = f"{at_ms // 1000}.{at_ms % 1000:03d}"
        if payload_len:
            text = f"{self.id}#{seq}#"
            return f"wl/1/{self.site}/{self.id}/up/log", None, text + "x" * (payload_len - len(text))
        value = f"{30 + seq // 1000 % 300}.{seq % 1000:03d}"
        records = [
            {"bt": "@", "n": "wl:boot", "vs": f"{self.boot:016x}"},
            {"n": "wl:seq", "v": seq},
            {"n": "wl:now", "v": "@"},
            {"n": "MDC_ECG_HEART_RATE", "u": "beat/min", "v": "value"},
        ]
        # As text, so that no number passes through a float.
        text = json.dumps(records).replace('"@"', at).replace('"value"', value)
        return f"wl/1/{self.site}/{self.id}/up/num", value, text

    def live(self):
        while True:
            self.wait_for(lambda: not self.answers.empty() or self.may_send())
            self.hear()
            if not self.may_send():
                continue
            at_ms = self.stamp()
            topic, value, text = self.message(self.seq, at_ms)
            tell("sent", device=self.id, boot=self.boot, seq=self.seq, at_ms=at_ms, value=value)
            sent = self.client.publish(topic, text, qos=1)
            with self.changed:
                self.numbers[sent.mid] = self.seq
                self.seq += 1

    def go(self, ports):
        self.client.connect("localhost", ports[0], keepalive=30)
        self.client.loop_start()

    def pause(self):
        self.change(wanted=False)
        self.client.loop_stop()
        self.change(connected=False)


class Poster(Device):
    """Posts by HTTPS; a message is its own until it was answered with 204."""

    path, content_type = "/v1/num", "application/senml+json"

    def __init__(self, paper, boot):
        self.id, self.site, self.boot = paper["id"], paper["site"], boot
        self.seq, self.acked, self.last_ms = 0, 0, 0
        # The number of the message that waits for its answer, with its body, and nothing else.
        self.numbers = {}
        self.connected, self.wanted = False, False
        self.changed = threading.Condition()
        self.tls = ssl.create_default_context(cafile=paper["ca"])
        self.tls.load_cert_chain(paper["certificate"], paper["key"])
        self.line = None
        threading.Thread(target=self.live, daemon=True).start()

    def live(self):
        while True:
            self.wait_for(lambda: self.connected and (self.wanted or self.numbers))
            if not self.numbers:
                at_ms = self.stamp()
                with self.changed:
                    # Whoever waited for its last sample may have been told to send nothing new.
                    if not (self.wanted and self.connected):
                        continue
                    self.numbers = {self.seq: self.body(self.seq, at_ms)}
                    self.seq += 1
            [(seq, body)] = self.numbers.items()
            status = self.post(self.dated(seq, body))
            if status == 503:
                tell("refused", device=self.id, seq=seq, status=status)
            if status is None or status == 503:
                # Asked again at once a server that stops would be asked all the time.
                self.wait_for(lambda: not self.connected, 0.1)
                continue
            tell("acked", device=self.id, seq=seq, code=0 if status == 204 else status)
            self.acked += 1
            self.change(numbers={})

    def body(self, seq, at_ms):
        _, value, text = self.message(seq, at_ms)
        tell("sent", device=self.id, boot=self.boot, seq=seq, at_ms=at_ms, value=value)
        return text

    def dated(self, seq, body):
        return body

    def post(self, body):
        try:
            self.line.request("POST", self.path, body, {"content-type": self.content_type})
            answer = self.line.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            self.line.close()
            return None

    def go(self, ports):
        self.line = http.client.HTTPSConnection("localhost", ports[1], context=self.tls, timeout=10)
        self.change(connected=True)

    def pause(self):
        self.change(wanted=False, connected=False)


class Tracer(Poster):
    """Posts an ECG of 250 samples a second; each sample is told from those of the 80 s around it."""

    path = "/v1/wave/MDC_ECG_ELEC_POTL_II"
    content_type = "application/vnd.wardline.wave+cbor;v=1"
    BLOCK_LEN, BLOCK_MS = 25, 100

    def stamp(self):
        """Where the next block begins: where the last one ended, or anew if that is too long ago."""
        now_ms = time.time_ns() // 1_000_000
        end_ms = self.last_ms + self.BLOCK_MS
        if end_ms < now_ms - 10 * self.BLOCK_MS:
            end_ms = now_ms
        # A block is there with its last sample, or is not wanted any more.
        self.wait_for(lambda: not (self.wanted and self.connected), (end_ms - now_ms) / 1_000)
        self.last_ms = end_ms
        return end_ms - self.BLOCK_MS

    def body(self, seq, at_ms):
        first = seq * self.BLOCK_LEN
        samples = [(first + at) * 7_919 % 20_011 - 10_000 for at in range(self.BLOCK_LEN)]
        data = b"".join(it.to_bytes(2, "little", signed=True) for it in samples)
        block = {
            0: 1,
            1: uuid.UUID(self.id).bytes,
            2: "MDC_ECG_ELEC_POTL_II",
            3: "II",
            4: seq,
            5: self.boot.to_bytes(8, "big"),
            6: at_ms * 1_000_000,
            7: 0,
            8: [250, 1],
            9: self.BLOCK_LEN,
            10: [5, -3],
            11: 0,
            12: "mV",
            13: 16,
            14: 0,
            15: data,
            19: google_crc32c.value(data),
        }
        tell("sent", device=self.id, boot=self.boot, seq=seq, at_ms=at_ms, samples=samples)
        return block

    def dated(self, seq, body):
        # A block that is sent again says when that is, as a device does; its samples are the same.
        payload = cbor2.dumps(body | {20: time.time_ns()})
        tell("dated", device=self.id, seq=seq, payload=base64.b64encode(payload).decode())
        return payload


kinds = {"https": Poster, "wave": Tracer}
devices = [kinds.get(paper["version"], Device)(paper, index + 1) for index, paper in enumerate(wish["clients"])]


def answer(text):
    print(text, flush=True)


for line in sys.stdin:
    command, *rest = line.split()
    if command == "go":
        for device in devices:
            device.go([int(port) for port in rest])
        for device in devices:
            if not device.wait_for(lambda: device.connected, CONNECT_WITHIN_S):
                sys.exit(f"{device.id} is not connected within {CONNECT_WITHIN_S} s")
            device.change(wanted=True)
        answer("going")
    elif command == "hush":
        for device in devices:
            device.change(wanted=False)
        answer("hushed")
    elif command == "pause":
        for device in devices:
            device.pause()
        answer("paused")
    elif command == "settle":
        for device in devices:
            device.change(wanted=False)
        until = time.monotonic() + float(rest[0])
        for device in devices:
            device.wait_for(lambda: not device.numbers, until - time.monotonic())
        answer(f"settled {sum(len(device.numbers) for device in devices)}")
    elif command == "count":
        answer(f"counted {sum(it.seq for it in devices)} {sum(it.acked for it in devices)}")
    elif command == "end":
        break
