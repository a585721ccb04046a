#!/usr/bin/env bash
# Builds the image and proves, from outside, that it is what docs/container.md says: check.sh [NAME]
#
# With docker where a daemon runs; else, as root, with buildah on a stand-in base, through ../shared/tools.
set -euo pipefail
name=${1:-callgate}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top"
base=$(awk '$1 == "FROM" {print $2; exit}' Dockerfile)
work=$(mktemp -d)
server=''
stop() {
  if [[ -n $server ]]; then kill -TERM "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; server=''; fi
}
trap 'stop; rm -rf "$work"' EXIT
fail() { echo "container: $*" >&2; exit 1; }
passed=0
ok() { passed=$((passed + 1)); echo "container: ok: $*"; }

if docker info >/dev/null 2>&1; then
  build() { docker build --quiet --tag "$name" . ; }
  # On the host's network, as with buildah: the checks below speak to 127.0.0.1.
  run() { exec docker run --rm --init=false --network host "$name" "$@"; }
  python() { docker run --rm --entrypoint python "$name" "$@"; }
  inspect() { docker image inspect "$name" --format "$1"; }
else
  tools=$top/../shared/tools
  [[ -x $tools/container-base ]] || fail "there is neither a docker daemon nor $tools/container-base"
  export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
  "$tools/container-base" "$base"
  # docker's own image format: OCI's has no place for a HEALTHCHECK.
  build() { "$tools/container-build" --format docker -t "$name" . ; }
  # container-run takes the whole command, so the ENTRYPOINT is said here.
  run() { exec "$tools/container-run" "$name" callgate "$@"; }
  python() { "$tools/container-run" "$name" python "$@"; }
  inspect() { buildah inspect --type image --format "${1//.Config./.Docker.Config.}" "$name"; }
fi

build >"$work/build.log" 2>&1 || { tail -50 "$work/build.log" >&2; fail "the image does not build"; }
ok "built from $base"

[[ $(inspect '{{.Config.User}}') == 10001:10001 ]] || fail "its user is '$(inspect '{{.Config.User}}')'"
[[ $(inspect '{{.Config.Healthcheck}}') == *callgate\ health* ]] || fail "it has no health check"
ok "user and health check are set"

python -c 'import callgate.values._compiled, callgate.http2.session' >"$work/compiled" 2>&1 || fail "$(cat "$work/compiled")"
ok "what is in C is compiled"

# What someone sees who just publishes the port: a refusal that says what to give, not a port that nobody answers.
code=0
(run serve math) >"$work/refused" 2>&1 </dev/null || code=$?
((code == 10)) || fail "serve math exited $code, not 10: $(cat "$work/refused")"
grep -q -- --insecure "$work/refused" || fail "the refusal does not name --insecure: $(cat "$work/refused")"
ok "refuses to listen everywhere without TLS and tokens"

code=0
(run serve --config /etc/callgate/callgate.toml) >"$work/unmounted" 2>&1 </dev/null || code=$?
((code == 10)) && grep -q /etc/callgate/callgate.toml "$work/unmounted" || fail "no settings: exit $code: $(cat "$work/unmounted")"
ok "without its settings file it names the file"

# Loopback and a free port: this machine's network is the container's here.
(run serve math examples_missing --listen 127.0.0.1:0) >"$work/missing" 2>&1 </dev/null && fail "a missing module is served"
(run serve math --listen 127.0.0.1:0) >"$work/out" 2>"$work/err" </dev/null &
server=$!
for _ in {1..300}; do # 30 s: chroot isolation starts slowly
  grep -q ' serves on ' "$work/out" && break
  kill -0 "$server" 2>/dev/null || fail "the server ended: $(cat "$work/err")"
  sleep 0.1
done
address=$(sed -n 's/.* serves on \([^ ]*\) .*/\1/p' "$work/out")
[[ -n $address ]] || fail "the server did not start: $(cat "$work/out" "$work/err")"
ok "serves on $address"

# Who runs it, seen from outside: the one process that listens on that port.
pid=$(pgrep -f "callgate serve math --listen 127.0.0.1:0" -u 10001 | tail -1 || true)
[[ -n $pid ]] || fail "no process of user 10001 serves"
grep -qE '^Uid:[[:space:]]+10001[[:space:]]+10001' "/proc/$pid/status" || fail "the server runs as $(grep Uid "/proc/$pid/status")"
ok "runs as user 10001"

answer=$(run_once() { (run "$@") 2>"$work/err2" </dev/null; }; run_once call math.sqrt 16.0 --server "$address")
[[ $answer == 4.0 ]] || fail "math.sqrt(16.0) is '$answer': $(cat "$work/err2")"
ok "math.sqrt(16.0) is 4.0"
health=$( (run health --server "$address") 2>"$work/err2" </dev/null)
[[ $health == SERVING ]] || fail "health is '$health': $(cat "$work/err2")"
ok "healthy"

kill -TERM "$pid"
code=0
wait "$server" || code=$?
server=''
((code == 0)) || fail "it exited $code on SIGTERM: $(cat "$work/err")"
ok "drains and exits 0 on SIGTERM"
echo "container: $passed checks passed"
