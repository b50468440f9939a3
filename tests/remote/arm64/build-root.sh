#!/usr/bin/env bash
# Unpacks a small ARM Debian and an emulator for it into a folder (build/arm64 by default), once.
# Nothing is installed and none of the packages' scripts is run. Exit code 77: not possible here, and why.
set -euo pipefail
place=$(realpath -m "${1:-build/arm64}")
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keys=/usr/share/keyrings/debian-archive-keyring.gpg
packages="bash dash coreutils libstdc++6 python3-minimal libpython3-stdlib python3-venv openssh-server"

refuse() {
    echo "No ARM root can be made here: $1." >&2
    exit 77
}

[ -e "$place/ready" ] && exit 0
for need in apt-get dpkg-deb unshare; do
    command -v "$need" >/dev/null || refuse "there is no $need"
done
[ "$(uname -m)" = x86_64 ] || refuse "this is no x86-64 machine"
[ -e "$keys" ] || refuse "Debian's keys are not in $keys (the package debian-archive-keyring has them)"

rm -rf "$place"
mkdir -p "$place"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# fetch ARCHITECTURE SUITE PACKAGE…: the packages, and all that they depend on with --depends.
fetch() {
    local architecture=$1 suite=$2 state=$work/$1
    shift 2
    mkdir -p "$state"/{lists/partial,archives/partial,parts}
    : >"$state/status"
    echo "deb [signed-by=$keys] $mirror $suite main" >"$state/sources.list"
    local apt=(
        apt-get -qq -o APT::Architecture="$architecture" -o APT::Architectures="$architecture"
        -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status"
        -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts="$state/parts"
        -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives"
        -o APT::Sandbox::User=root -o Debug::NoLocking=1
    )
    local how=(download)
    if [ "$1" = --depends ]; then
        shift
        how=(install --download-only --no-install-recommends -y)
    fi
    (cd "$state/archives" && "${apt[@]}" update && "${apt[@]}" "${how[@]}" "$@") >"$work/said" 2>&1 && return
    why=$(grep -m 1 '^[EW]:' "$work/said") || why="apt-get said nothing"
    refuse "$mirror does not give its packages (${why#?: }); DEBIAN_MIRROR names another mirror"
}

echo "Fetching the emulator …" >&2
fetch amd64 bookworm-backports qemu-user
dpkg-deb --fsys-tarfile "$work"/amd64/archives/qemu-user_*.deb |
    tar -x -C "$place" --strip-components=3 ./usr/bin/qemu-aarch64

echo "Fetching an ARM userland …" >&2
# shellcheck disable=SC2086
fetch arm64 bookworm --depends $packages
mkdir "$place/binfmt"
root=$place/root
mkdir -p "$root"/{usr/bin,usr/sbin,usr/lib,proc,sys,dev,run/sshd,tmp,home/pi,etc}
for name in bin sbin lib; do ln -s "usr/$name" "$root/$name"; done
for package in "$work"/arm64/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root"
done
echo "pi:x:1000:1000::/home/pi:/bin/bash" >"$root/etc/passwd"
echo "pi:x:1000:" >"$root/etc/group"
rm -rf "$root"/usr/share/{doc,man,locale}
touch "$place/ready"
