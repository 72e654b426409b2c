"""Messages from client to client through the server, by paho-mqtt or aiomqtt, with every QoS,
retained, shared, and left behind by a lost connection.

Reads one JSON object on stdin, prints one on stdout:
in   {library, host, port, transport, ca, certificate, key, version, client_id, root}
out  {heard: [[topic below root, payload, qos, retained]], shared: [count, count], codes: [code]}
"""

import asyncio
import json
import socket
import ssl
import sys
import threading

import paho.mqtt.client as mqtt

ANSWER_WITHIN_S = 15
SHARED_COUNT = 20

wish = json.load(sys.stdin)
is_v5 = wish["version"] == "5"
root = wish["root"]


def context():
    made = ssl.create_default_context(cafile=wish["ca"])
    made.load_cert_chain(wish["certificate"], wish["key"])
    return made


def told(message):
    return [str(message.topic).removeprefix(root + "/"), message.payload.decode(), message.qos, bool(message.retain)]


def is_done(heard, shared):
    topics = [topic for topic, *_ in heard]
    return topics.count("left") == 1 and sum(shared) >= SHARED_COUNT and topics.count("work") >= SHARED_COUNT


def by_paho():
    heard, shared, codes, made = [], [0, 0], [], []
    changed = threading.Condition()

    def tell(change):
        with changed:
            change()
            changed.notify_all()

    def wait_for(condition, what):
        with changed:
            if not changed.wait_for(condition, ANSWER_WITHIN_S):
                sys.exit(f"no {what} within {ANSWER_WITHIN_S} s: {heard} {shared} {codes}")

    def connect(suffix, will=None):
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=f"{wish['client_id']}:{suffix}",
            protocol=mqtt.MQTTv5 if is_v5 else mqtt.MQTTv311,
            transport=wish["transport"],
        )
        client.tls_set_context(context())
        if will:
            client.will_set(f"{root}/{will}", will, qos=2)
        said = []
        client.on_connect = lambda client, userdata, flags, code, properties: tell(lambda: said.append(code))
        client.on_subscribe = lambda client, userdata, mid, found, properties: tell(
            lambda: codes.extend(code if isinstance(code, int) else code.value for code in found)
        )
        client.connect(wish["host"], wish["port"], keepalive=30)
        client.loop_start()
        wait_for(lambda: said and not said[0].is_failure, "CONNACK")
        made.append(client)
        return client

    publisher = connect("publisher")

    def publish(topic, payload, qos, retain=False):
        publisher.publish(f"{root}/{topic}", payload, qos=qos, retain=retain).wait_for_publish(ANSWER_WITHIN_S)

    def subscribe(client, topic, qos, count):
        client.subscribe(topic, qos=qos)
        wait_for(lambda: len(codes) == count, "SUBACK")

    publish("kept", "kept", 1, retain=True)
    hears = connect("hears")
    hears.on_message = lambda client, userdata, message: tell(lambda: heard.append(told(message)))
    subscribe(hears, f"{root}/#", 2, 1)
    for place in (0, 1):
        worker = connect(f"worker{place}")

        def count(client, userdata, message, place=place):
            tell(lambda: shared.__setitem__(place, shared[place] + 1))

        worker.on_message = count
        subscribe(worker, f"$share/workers/{root}/work", 1, 2 + place)
    for qos in (0, 1, 2):
        publish(f"qos{qos}", f"of QoS {qos}", qos)
    for number in range(SHARED_COUNT):
        publish("work", str(number), 2)
    mortal = connect("mortal", will="left")
    mortal.socket().shutdown(socket.SHUT_RDWR) if wish["transport"] == "tcp" else mortal.socket()._socket.shutdown(
        socket.SHUT_RDWR
    )
    # A client that reconnects would take its own will back.
    mortal.loop_stop()
    wait_for(lambda: is_done(heard, shared), "message")
    said = {"heard": list(heard), "shared": shared, "codes": codes}
    publish("kept", "", 1, retain=True)
    for client in made:
        client.disconnect()
        client.loop_stop()
    return said


async def by_aiomqtt():
    import aiomqtt

    heard, shared, codes = [], [0, 0], []
    done = asyncio.Event()

    def look():
        if is_done(heard, shared):
            done.set()

    def client(suffix, will=None):
        return aiomqtt.Client(
            wish["host"],
            wish["port"],
            identifier=f"{wish['client_id']}:{suffix}",
            protocol=aiomqtt.ProtocolVersion.V5 if is_v5 else aiomqtt.ProtocolVersion.V311,
            transport=wish["transport"],
            tls_context=context(),
            will=aiomqtt.Will(f"{root}/{will}", will, qos=2) if will else None,
            timeout=ANSWER_WITHIN_S,
        )

    async def subscribe(client, topic, qos):
        for code in await client.subscribe(topic, qos=qos):
            codes.append(code if isinstance(code, int) else code.value)

    async def hear(client):
        async for message in client.messages:
            heard.append(told(message))
            look()

    async def count(client, place):
        async for message in client.messages:
            shared[place] += 1
            look()

    async with client("publisher") as publisher, client("hears") as hears:
        await publisher.publish(f"{root}/kept", "kept", qos=1, retain=True)
        tasks = [asyncio.create_task(hear(hears))]
        await subscribe(hears, f"{root}/#", 2)
        async with client("worker0") as one, client("worker1") as two:
            for place, worker in enumerate((one, two)):
                tasks.append(asyncio.create_task(count(worker, place)))
                await subscribe(worker, f"$share/workers/{root}/work", 1)
            for qos in (0, 1, 2):
                await publisher.publish(f"{root}/qos{qos}", f"of QoS {qos}", qos=qos)
            for number in range(SHARED_COUNT):
                await publisher.publish(f"{root}/work", str(number), qos=2)
            try:
                async with client("mortal", will="left") as mortal:
                    mortal._client.socket().shutdown(socket.SHUT_RDWR)
                    await asyncio.sleep(0)
                    raise aiomqtt.MqttError("the connection is cut on purpose")
            except aiomqtt.MqttError:
                pass
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await done.wait()
            for task in tasks:
                task.cancel()
        said = {"heard": list(heard), "shared": shared, "codes": codes}
        await publisher.publish(f"{root}/kept", "", qos=1, retain=True)
    return said


said = by_paho() if wish["library"] == "paho" else asyncio.run(by_aiomqtt())
print(json.dumps(said))
