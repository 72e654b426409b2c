"""A device that writes line protocol by influxdb-client, as a program of its own would.

Reads one JSON object on stdin, prints one on stdout:
in   {url, ca, certificate, key, writes: [{precision, gzip, lines: [line]}]}
out  {ping, health, version, wrote: [null, or {status, body}]}
"""

import json
import sys

from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

wish = json.load(sys.stdin)
said = {"wrote": []}


def client(gzip):
    return InfluxDBClient(
        url=wish["url"],
        token="unused",
        org="unused",
        ssl_ca_cert=wish["ca"],
        cert_file=wish["certificate"],
        cert_key_file=wish["key"],
        enable_gzip=gzip,
    )


with client(False) as asks:
    said["ping"] = asks.ping()
    said["version"] = asks.version()
    said["health"] = asks.health().status
for write in wish["writes"]:
    with client(write["gzip"]) as influx:
        try:
            influx.write_api(write_options=SYNCHRONOUS).write(
                bucket="unused", record=write["lines"], write_precision=write["precision"]
            )
            said["wrote"].append(None)
        except ApiException as refused:
            said["wrote"].append({"status": refused.status, "body": json.loads(refused.body)})
print(json.dumps(said))
