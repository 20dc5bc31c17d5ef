#!/bin/sh
# SPDX-License-Identifier: MIT
# Run by `meson install`: the loader hears of the new library, where it is installed for the whole machine.
[ -z "$DESTDIR" ] && [ "$(id -u)" -eq 0 ] || exit 0
for ldconfig in ldconfig /sbin/ldconfig; do
    command -v "$ldconfig" >/dev/null 2>&1 && exec "$ldconfig"
done
exit 0
