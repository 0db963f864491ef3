#!/bin/sh
# Lays a Debian package, with the libraries that it needs beyond the system's, below .cache and prints that folder:
# `debian-package.sh s3fs`. Nothing is installed into the system.
set -eu

root=$(CDPATH='' cd -P -- "$(dirname -- "$0")/.." && pwd -P)
case $1 in
  s3fs) packages='s3fs libfuse2 fuse' ;;
  etcd) packages='etcd-server' ;;
  faketime) packages='libfaketime' ;;
  *) echo "forebay: no list of packages for $1" >&2; exit 2 ;;
esac
target=$root/.cache/debian/$1
if [ -d "$target" ]; then echo "$target"; exit; fi

for program in apt-get dpkg-deb; do
  if ! command -v "$program" >/dev/null 2>&1; then echo "$program is not installed" >&2; exit 1; fi
done
stage=$target.$$
rm -rf "$stage"
mkdir -p "$stage/root"
cd "$stage"
# The lists of packages may be missing or old: they are renewed only then.
# shellcheck disable=SC2086
if ! apt-get download $packages >log 2>&1; then
  if ! { apt-get update && apt-get download $packages; } >log 2>&1; then
    cat log >&2
    exit 1
  fi
fi
for file in *.deb; do dpkg-deb -x "$file" root; done
# Somebody else may have been faster.
mv -T root "$target" 2>/dev/null || [ -d "$target" ]
rm -rf "$stage"
echo "$target"
