#!/bin/sh
# Measures VictoriaMetrics, InfluxDB 1.x and Wardline in turn with one load: the lines of a ward's
# day (24 beds, six vitals a second, 12.4 million readings) in requests of 5,000 over two
# connections; at the stores over plain HTTP, at Wardline over mutual TLS with the whole path on.
# Needs victoria-metrics and influxd (Debian: victoria-metrics, influxdb), and a build of wardline
# in $WARDLINE_BIN or target/release. A store that is not installed is said to be NOT RUN.
# Prints one JSON object a line; those of `beside_…` are Wardline's figure divided by the store's.
#
#   bench/stores.sh [RUNS] [HOURS]
#   bench/stores.sh 3 24
set -eu
cd "$(dirname "$0")/.."
runs="${1:-3}" hours="${2:-24}"
wardline="${WARDLINE_BIN:-$PWD/target/release/wardline}"
port="${PORT:-28086}"
work="$(mktemp -d)"
store=""
tidy() {
    [ -z "$store" ] || kill "$store" 2>/dev/null || true
    rm -rf "$work"
}
trap tidy EXIT INT TERM

answers() { # URL: waits until somebody answers there
    for _ in $(seq 100); do
        if curl -sf -o /dev/null "$1"; then return; fi
        sleep 0.1
    done
    echo "nothing answers at $1" >&2
    exit 1
}
figure() { # file, name
    sed -n "s/.*\"name\":\"[a-z_]*\.$2\".*\"value\":\([0-9.e+-]*\).*/\1/p" "$1"
}
against() { # name, path: the store that runs as $store
    "$wardline" bench lines --json --hours "$hours" --server-pid "$store" \
        --against "http://127.0.0.1:$port$2" | sed "s/\"lines_against\./\"$1./" >"$work/theirs"
    kill "$store"
    wait "$store" 2>/dev/null || true
    store=""
    cat "$work/theirs"
    awk -v name="$1" -v ours="$(figure "$work/ours" readings_per_s)" \
        -v theirs="$(figure "$work/theirs" readings_per_s)" 'BEGIN {
            if (theirs > 0) printf "{\"name\":\"beside_%s.readings_per_s\",\"value\":%.4f,\"unit\":\"1\"}\n",
                name, ours / theirs }'
}
has() {
    if command -v "$1" >/dev/null; then return 0; fi
    echo "NOT RUN: $1 is not installed" >&2
    return 1
}

run=0
while [ "$run" -lt "$runs" ]; do
    # A promise that was not kept is said on stderr; the figures are there all the same.
    "$wardline" bench lines --json --hours "$hours" >"$work/ours" || [ -s "$work/ours" ]
    cat "$work/ours"
    if has victoria-metrics; then
        rm -rf "$work/vm"
        victoria-metrics -storageDataPath="$work/vm" -httpListenAddr="127.0.0.1:$port" \
            -retentionPeriod=100y -loggerLevel=ERROR >"$work/vm.log" 2>&1 &
        store=$!
        answers "http://127.0.0.1:$port/health"
        against victoria_metrics "/write?precision=ms"
    fi
    if has influxd; then
        rm -rf "$work/influx"
        cat >"$work/influx.conf" <<CONF
reporting-disabled = true
bind-address = "127.0.0.1:$((port + 2))"
[meta]
  dir = "$work/influx/meta"
[data]
  dir = "$work/influx/data"
  wal-dir = "$work/influx/wal"
  index-version = "inmem"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:$port"
  log-enabled = false
[monitor]
  store-enabled = false
CONF
        influxd -config "$work/influx.conf" >"$work/influx.log" 2>&1 &
        store=$!
        answers "http://127.0.0.1:$port/ping"
        curl -sf -o /dev/null -XPOST "http://127.0.0.1:$port/query" \
            --data-urlencode "q=CREATE DATABASE ward"
        against influxdb "/write?db=ward&precision=ms"
    fi
    run=$((run + 1))
done
