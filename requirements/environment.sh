#!/usr/bin/env bash
# Makes a virtual environment from hashed locks, or brings one up to date.
#
#   environment.sh [--python VERSION] [--with-callgate] FOLDER LOCK...
#     --python VERSION   this Python only, e.g. 3.11; else the newest of 3.14, 3.13 and whatever python3 is
#     --with-callgate    also install this tree, as it stands (editable)
#     FOLDER             the environment, e.g. .venv
#     LOCK               a lock's name without .txt, e.g. server dev
#
# Pythons are looked for on PATH and under pyenv, also where pyenv is not on PATH. An interpreter for which some locked
# package has no wheel is passed over: of packages, nothing is compiled here (callgate's own C file is). PYTHON=/path/to/python3 in the environment settles it.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
oldest=3.11 # as pyproject.toml's requires-python
version='' callgate=''
while [[ ${1:-} == --* ]]; do
  case $1 in
    --python) version=$2; shift 2 ;;
    --with-callgate) callgate=yes; shift ;;
    *) echo "environment.sh: no option $1" >&2; exit 2 ;;
  esac
done
folder=${1:?usage: environment.sh [--python VERSION] [--with-callgate] FOLDER LOCK...}
shift
locks=()
for name in "$@"; do locks+=(-r "$top/requirements/$name.txt"); done
((${#locks[@]})) || { echo "environment.sh: name a lock" >&2; exit 2; }

# Interpreters that may serve, best first, one a line.
candidates() {
  if [[ -n ${PYTHON:-} && -z $version ]]; then
    command -v "$PYTHON" || { echo "environment.sh: PYTHON=$PYTHON is not there" >&2; return 1; }
    return
  fi
  local root wanted
  root=${PYENV_ROOT:-$(pyenv root 2>/dev/null || echo ~/.pyenv)}
  for wanted in ${version:-3.14 3.13}; do
    command -v "python$wanted" || true
    # Newest patch release first.
    find "$root/versions" -maxdepth 3 -path "*/$wanted.*/bin/python$wanted" 2>/dev/null | sort -rV
  done
  [[ -n $version ]] || command -v python3 || true
}

# Whether an interpreter runs (a pyenv shim may not), is of the right version and can make environments.
usable() {
  "$1" - "${version:-$oldest}" "${version:+exactly}" <<'EOF' 2>&1
import sys
wanted = tuple(map(int, sys.argv[1].split(".")))
found = sys.version_info[:2]
if found != wanted if sys.argv[2] else found < wanted:
    sys.exit("is Python %d.%d" % found)
try:
    import ensurepip, venv
except ImportError as error:
    sys.exit("has no module %s (on Debian: apt-get install python3-venv)" % error.name)
EOF
}

make_environment() { # PYTHON: makes the folder anew unless it is that interpreter's already
  local python=$1
  if [[ $(base "$folder/bin/python" 2>/dev/null) != "$(base "$python")" ]]; then
    rm -rf "$folder"
    "$python" -m venv "$folder" || return
  fi
  local pip=("$folder/bin/python" -m pip --disable-pip-version-check --no-input install --quiet)
  "${pip[@]}" --require-hashes --only-binary :all: "${locks[@]}" || return
  # The backend is in the environment already, from its own lock: no isolated build, which would fetch without hashes.
  [[ -z $callgate ]] || "${pip[@]}" --no-deps --no-build-isolation --editable "$top" || return
}

base() { "$1" -c 'import sys, os; print(os.path.realpath(sys._base_executable))'; }

tried=''
while read -r python; do
  [[ -n $python ]] || continue
  if ! why=$(usable "$python"); then
    tried+="  $python ${why##*$'\n'}"$'\n'
    continue
  fi
  if make_environment "$python"; then
    echo "$folder: $("$folder/bin/python" -V), ${*}" >&2
    exit 0
  fi
  tried+="  $python could not install ${*} (see above)"$'\n'
done < <(candidates)

echo "environment.sh: no Python ${version:-$oldest or newer} to make $folder with; install one, or say PYTHON=/path/to/python3" >&2
[[ -z $tried ]] || printf 'Tried:\n%s' "$tried" >&2
exit 1
