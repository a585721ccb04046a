#!/usr/bin/env bash
# Fails if the contract breaks what has landed: contract-breaking.sh BUF
#
# What has landed: the branch point from origin/main or, where that is this very commit (a clone that continuous
# integration made), the newest commit that is 4 hours older than it. 4 hours is arbitrary: longer than one piece of
# work takes here, so that a contract may still change while it is being made. LANDED=COMMIT settles it.
set -euo pipefail
buf=${1:?usage: contract-breaking.sh BUF}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
head=$(git rev-parse HEAD)
landed=${LANDED:-$(git merge-base HEAD origin/main 2>/dev/null || true)}
if [[ -z $landed || $landed == "$head" ]]; then
  before=$(($(git show -s --format=%ct HEAD) - 4 * 3600))
  landed=$(git rev-list -1 --before="$before" HEAD)
fi
if [[ -z $landed ]] || ! git cat-file -e "$landed:protos/callgate" 2>/dev/null; then
  echo "buf breaking: no contract has landed before this one; nothing to compare with"
  exit 0
fi
# Unpacked by git itself: buf would clone, which a shallow checkout cannot serve.
was=$(mktemp -d)
trap 'rm -rf "$was"' EXIT
git archive "$landed" protos | tar -x -C "$was"
echo "buf breaking: against ${landed:0:12}"
"$buf" breaking protos --against "$was/protos"
