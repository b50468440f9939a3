#!/usr/bin/env bash
# Unpacks Debian's sshd into a folder (build/sshd by default) where there is none, without installing it.
set -euo pipefail
root=${1:-build/sshd}
[ -x "$root/usr/sbin/sshd" ] || [ -x /usr/sbin/sshd ] && exit 0
command -v apt-get >/dev/null || exit 1
mkdir -p "$(dirname "$root")"
root=$(cd "$(dirname "$root")" && pwd)/$(basename "$root")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fetch() { apt-get -qq download openssh-server libwrap0 libnsl2 >/dev/null 2>&1; }
fetch || { apt-get -qq update >/dev/null 2>&1 && fetch; }
for package in *.deb; do dpkg-deb -x "$package" root; done
rm -rf "$root"
mv root "$root"
