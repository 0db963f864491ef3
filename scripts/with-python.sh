#!/bin/sh
# Runs the Python of the conformance suites: `with-python.sh ARGUMENT…`, in a virtual environment below .cache that holds
# exactly the packages of conformance/requirements.txt; with PACKAGES=NAME in the environment, those of
# conformance/requirements-NAME.txt, in an environment of their own.
set -eu

root=$(CDPATH='' cd -P -- "$(dirname -- "$0")/.." && pwd -P)
suffix=${PACKAGES:+-$PACKAGES}
requirements=$root/conformance/requirements$suffix.txt
venv=$root/.cache/venv$suffix

is_current() {
  cmp -s "$requirements" "$venv/installed.txt"
}

# Every package is named with its version, so that nothing else is to be resolved.
install() {
  rm -rf "$venv"
  log=$venv.log
  if ! {
    python3 -m venv "$venv" &&
      "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --no-deps --only-binary :all: \
        -r "$requirements"
  } >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    echo "forebay: the Python packages of $requirements could not be installed" >&2
    exit 1
  fi
  cp "$requirements" "$venv/installed.txt"
}

if ! is_current; then
  mkdir -p "$root/.cache"
  exec 9>"$root/.cache/python-lock"
  if command -v flock >/dev/null 2>&1; then flock 9; fi
  is_current || install
  exec 9>&-
fi

PATH=$venv/bin:$PATH
PYTHONPYCACHEPREFIX=$root/.cache/pycache
export PATH PYTHONPYCACHEPREFIX
unset PACKAGES
exec "$venv/bin/python" "$@"
