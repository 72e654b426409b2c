#!/bin/sh
# A PostgreSQL of its own in a temporary folder, until stdin ends.
#
# It listens on a UNIX socket only and takes the user `ward` without a password. It prints
# `ready FOLDER`, where the socket is, or `absent WHY` and ends. Each line that it reads is
# an order: `crash` stops it at once as a failing machine would and starts it again, `stop`
# and `start` do half of that. `freeze` has it hang and `thaw` go on. After each it prints `ready FOLDER`.
set -eu
export LC_ALL=C PGTZ=UTC

bin=""
for folder in /usr/lib/postgresql/*/bin /usr/local/bin /usr/bin; do
  if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ]; then bin=$folder; break; fi
done
if [ -z "$bin" ]; then echo "absent initdb and pg_ctl of PostgreSQL were not found"; exit 0; fi

as=""
if [ "$(id -u)" = 0 ]; then
  if ! id postgres >/dev/null 2>&1; then echo "absent there is no user postgres"; exit 0; fi
  as="setpriv --reuid=postgres --regid=postgres --clear-groups"
fi

home=$(mktemp -d /tmp/wardline-postgres.XXXXXX)
chmod 755 "$home"
if [ -n "$as" ]; then chown postgres "$home"; fi
cd "$home"

control() {
  # shellcheck disable=SC2086
  $as "$bin/pg_ctl" -D "$home/data" -s -w "$@" >>"$home/said" 2>&1 </dev/null
}
start() {
  control start -l "$home/log" -o "-c listen_addresses='' -c unix_socket_directories='$home'"
}
# The server and all that it started.
hang() {
  server=$(head -n 1 "$home/data/postmaster.pid")
  for each in $(ps -o pid= --ppid "$server") "$server"; do kill -s "$1" "$each" || true; done
}
clean_up() {
  hang CONT 2>/dev/null || true
  control stop -m immediate || true
  rm -rf "$home"
}
touch "$home/said"
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

# shellcheck disable=SC2086
$as "$bin/initdb" -D "$home/data" -U ward -A trust -E UTF8 --no-sync >>"$home/said" 2>&1 </dev/null
start
echo "ready $home"
while read -r order; do
  case "$order" in
    crash) control stop -m immediate; start ;;
    stop) control stop -m immediate ;;
    start) start ;;
    freeze) hang STOP ;;
    thaw) hang CONT ;;
  esac
  echo "ready $home"
done
