#!/bin/sh
# Runs the pinned Node of this checkout: `with-node.sh FILE [ARGUMENT…]`. The caller's working directory is kept.
#
# Before that it makes node_modules match package-lock.json. The packages are installed apart and moved into place in
# one step, so that a broken-off or failed install leaves nothing half done and a running process loses nothing. No
# package's install script is run: every binary that is needed lies in a package of its own.
set -eu

root=$(CDPATH='' cd -P -- "$(dirname -- "$0")/.." && pwd -P)
modules=$root/node_modules
node=$modules/.bin/node

is_current() {
  cmp -s "$root/package-lock.json" "$modules/.installed-lock.json" && [ -x "$node" ]
}

# npm runs in the background so that a signal ends it, and this script, at once.
npm_ci() {
  (cd "$1" && exec npm ci --ignore-scripts --include=dev --include=optional --no-audit --no-fund) \
    >"$1/npm.log" 2>&1 </dev/null &
  npm=$!
  trap 'kill "$npm" 2>/dev/null; exit 143' HUP INT TERM
  wait "$npm" && status=0 || status=$?
  trap - HUP INT TERM
  return "$status"
}

install() {
  rm -rf "$root"/.cache/install.*
  stage=$root/.cache/install.$$
  mkdir -p "$stage/old"
  cp "$root/package.json" "$root/package-lock.json" "$stage/"
  if [ -t 2 ]; then echo 'forebay: installing the pinned packages, once' >&2; fi
  if ! npm_ci "$stage"; then
    cat "$stage/npm.log" >&2
    echo 'forebay: the packages could not be installed' >&2
    exit 1
  fi
  if [ ! -x "$stage/node_modules/.bin/node" ]; then
    echo "forebay: there is no pinned Node for $(uname -sm) among the packages" >&2
    exit 1
  fi
  # With this link `npm exec forebay` finds the command without asking the network.
  ln -s ../../bin/forebay "$stage/node_modules/.bin/forebay"
  cp "$stage/package-lock.json" "$stage/node_modules/.installed-lock.json"
  if [ -e "$modules" ]; then mv "$modules" "$stage/old/"; fi
  mv "$stage/node_modules" "$modules"
  rm -rf "$stage"
}

if ! is_current; then
  mkdir -p "$root/.cache"
  # The lock goes with the processes that hold it. Where there is no flock(1), two first starts at once are not kept apart.
  exec 9>"$root/.cache/install-lock"
  if command -v flock >/dev/null 2>&1; then flock 9; fi
  is_current || install
  exec 9>&-
fi

PATH=$modules/.bin:$PATH
export PATH
exec "$node" "$@"
