#!/usr/bin/env bash
# enter.sh FOLDER WORDS…: runs words in the ARM root of build-root.sh, as its user pi.
# In namespaces of its own, with a private binfmt_misc (Linux 6.7): the machine's settings stay.
set -euo pipefail
place=$(realpath "$1")
shift
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
# shellcheck disable=SC2016
inside='
place=$1 register=$2
shift 2
mount -t binfmt_misc none "$place/binfmt"
printf %s "$register" >"$place/binfmt/register"
for name in proc sys dev; do mount --rbind "/$name" "$place/root/$name"; done
export QEMU_CPU="${QEMU_CPU:-cortex-a76}" ORT_DISABLE_TELEMETRY=1
exec unshare --user --map-user=1000 --map-group=1000 --keep-caps \
    chroot "$place/root" "$@"
'
exec unshare --user --map-root-user --mount sh -euc "$inside" sh \
    "$place" ":secateur-aarch64:M::$magic:$mask:$place/qemu-aarch64:PF" "$@"
