#!/bin/sh
# Measures Mosquitto and Wardline in turn with one load: the same messages over mutual TLS 1.3,
# QoS 1, no message dropped; at the broker one subscriber of everything, at Wardline the whole
# path. Needs openssl and mosquitto, and a build of wardline in $WARDLINE_BIN or target/release.
# Prints one JSON object a line; those of `beside_mosquitto` are Wardline's figure divided by
# the broker's. With a RATE both are sent so many messages a second, else as many as they take.
#
#   bench/mosquitto.sh [RUNS] [DEVICES] [SECONDS] [RATE]
#   bench/mosquitto.sh 3 200 10 5000
set -eu
cd "$(dirname "$0")/.."
runs="${1:-3}" devices="${2:-200}" seconds="${3:-10}" rate="${4:-}"
wardline="${WARDLINE_BIN:-$PWD/target/release/wardline}"
mosquitto="${MOSQUITTO_BIN:-mosquitto}"
port="${PORT:-28883}"
work="$(mktemp -d)"
broker=""
tidy() {
    [ -z "$broker" ] || kill "$broker" 2>/dev/null || true
    rm -rf "$work"
}
trap tidy EXIT INT TERM

# An authority, the broker's certificate, and one for each of 50 clients, all EC P-256.
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
mkdir "$work/clients"
# shellcheck disable=SC2086 # The words of $key are separate on purpose.
openssl req -x509 $key -keyout "$work/ca.key" -out "$work/ca.pem" -days 2 -subj /CN=bench-ca \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
leaf() { # file, name, extensions
    # shellcheck disable=SC2086
    openssl req $key -keyout "$1.key" -out "$work/leaf.csr" -subj "/CN=$2" 2>/dev/null
    printf '%s\n' "$3" >"$work/leaf.ext"
    openssl x509 -req -in "$work/leaf.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" \
        -CAcreateserial -days 2 -out "$1.crt" -extfile "$work/leaf.ext" 2>/dev/null
}
leaf "$work/broker" localhost "subjectAltName=DNS:localhost,IP:127.0.0.1
extendedKeyUsage=serverAuth"
number=0
while [ "$number" -lt 50 ]; do
    leaf "$work/clients/$number" "client-$number" "extendedKeyUsage=clientAuth"
    number=$((number + 1))
done

# Nothing is dropped and nothing held back: the limits of a default installation would do both.
cat >"$work/broker.conf" <<CONF
per_listener_settings false
allow_anonymous true
set_tcp_nodelay true
max_inflight_messages 0
max_queued_messages 0
persistence false
log_type error
listener $port 127.0.0.1
cafile $work/ca.pem
certfile $work/broker.crt
keyfile $work/broker.key
require_certificate true
use_identity_as_username true
tls_version tlsv1.3
CONF
if [ "$(id -u)" = 0 ]; then echo "user root" >>"$work/broker.conf"; fi

bench() { # further arguments
    "$wardline" bench ingest --json --devices "$devices" --seconds "$seconds" \
        ${rate:+--rate "$rate"} "$@"
}
figure() { # file, name
    sed -n "s/.*\"name\":\"[a-z]*\.$2\".*\"value\":\([0-9.e+-]*\).*/\1/p" "$1"
}

run=0
while [ "$run" -lt "$runs" ]; do
    "$mosquitto" -c "$work/broker.conf" >"$work/broker.log" 2>&1 &
    broker=$!
    bench --against-mosquitto "127.0.0.1:$port" --ca "$work/ca.pem" --cert-dir "$work/clients" \
        --server-pid "$broker" >"$work/theirs"
    kill "$broker"
    wait "$broker" 2>/dev/null || true
    broker=""
    bench >"$work/ours"
    cat "$work/theirs" "$work/ours"
    for name in messages_per_s server_cpu_per_message publish_to_ack_p50 publish_to_ack_p99; do
        awk -v name="$name" -v ours="$(figure "$work/ours" "$name")" \
            -v theirs="$(figure "$work/theirs" "$name")" 'BEGIN {
                if (theirs > 0) printf "{\"name\":\"beside_mosquitto.%s\",\"value\":%.4f,\"unit\":\"1\"}\n",
                    name, ours / theirs }'
    done
    run=$((run + 1))
done
