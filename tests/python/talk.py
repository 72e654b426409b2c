"""One conversation by paho-mqtt: connect, subscribe, publish, and tell how each was answered.

Reads one JSON object on stdin, prints one on stdout:
in   {host, port, path, ca, certificate, key, version, client_id, subscribe, messages: [{topic, kind, payload}]};
     with a path it speaks over WebSocket
out  {connack, suback: [code], puback: [code]}
"""

import base64
import json
import ssl
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

ANSWER_WITHIN_S = 15

wish = json.load(sys.stdin)
is_v5 = wish["version"] == "5"
said = {"connack": None, "suback": []}
answers = {}
changed = threading.Condition()


def number(code):
    return code if isinstance(code, int) else code.value


def tell(change):
    with changed:
        change()
        changed.notify_all()


def wait_for(condition, what):
    with changed:
        if not changed.wait_for(condition, ANSWER_WITHIN_S):
            sys.exit(f"no {what} within {ANSWER_WITHIN_S} s: {said}")


def on_connect(client, userdata, flags, code, properties):
    tell(lambda: said.update(connack=number(code)))


def on_subscribe(client, userdata, mid, codes, properties):
    tell(lambda: said.update(suback=[number(code) for code in codes]))


def on_publish(client, userdata, mid, code, properties):
    # By paho's own number, as an answer may be here before the number is.
    tell(lambda: answers.update({mid: number(code)}))


client = mqtt.Client(
    mqtt.CallbackAPIVersion.VERSION2,
    client_id=wish["client_id"],
    protocol=mqtt.MQTTv5 if is_v5 else mqtt.MQTTv311,
    transport="websockets" if wish.get("path") else "tcp",
)
if wish.get("path"):
    client.ws_set_options(path=wish["path"])
client.on_connect, client.on_subscribe, client.on_publish = on_connect, on_subscribe, on_publish
client.tls_set(wish["ca"], wish["certificate"], wish["key"], tls_version=ssl.PROTOCOL_TLS_CLIENT)
client.connect(wish["host"], wish["port"], keepalive=30)
client.loop_start()
wait_for(lambda: said["connack"] is not None, "CONNACK")
if wish["subscribe"]:
    client.subscribe([(topic, 1) for topic in wish["subscribe"]])
    wait_for(lambda: said["suback"], "SUBACK")
sent = []
for message in wish["messages"]:
    properties = None
    if is_v5 and message["kind"]:
        properties = Properties(PacketTypes.PUBLISH)
        properties.ContentType = message["kind"]
    payload = base64.b64decode(message["payload"])
    sent.append(client.publish(message["topic"], payload, qos=1, properties=properties).mid)
wait_for(lambda: len(answers) == len(sent), "PUBACK")
said["puback"] = [answers[mid] for mid in sent]
client.disconnect()
client.loop_stop()
print(json.dumps(said))
