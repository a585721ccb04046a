#!/usr/bin/env bash
# Makes the locks from pyproject.toml's extras and groups: lock.sh UV [--upgrade-package NAME ...]
#
# One lock serves every Python from 3.11 on and every platform (environment markers choose). Hashed, and without the
# address of any registry: where packages come from is the installing machine's own setting.
set -euo pipefail
uv=$(realpath "${1:?usage: lock.sh UV}")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
(($#)) || set -- --upgrade

compile() { # LOCK ARGUMENT...
  local lock=$1
  shift
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' -o "requirements/$lock.txt" "$@"
}

# The developers' environment has the very versions that the server's has.
compile server pyproject.toml --extra server "$@"
compile dev pyproject.toml --extra server --group dev -c requirements/server.txt "$@"
compile fuzz pyproject.toml --extra server --group fuzz --group dev -c requirements/dev.txt "$@"
compile loadtest pyproject.toml --group loadtest -c requirements/server.txt "$@"
# The peers have the very grpcio and protobuf that Callgate has, so that only what is compared differs.
compile peers --group pyproject.toml:peers -c requirements/server.txt "$@"
for group in build stubs lock peers-ray; do
  compile "$group" --group "pyproject.toml:$group" "$@"
done
