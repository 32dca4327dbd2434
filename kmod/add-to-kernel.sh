#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Puts nl31 into a kernel source tree, as net/nl31, so that CONFIG_NL31 can be
# set there. Run again, it brings the tree up to date: files that did not change
# keep their time stamps, and the tree's own files get each line once.
# usage: add-to-kernel.sh KERNEL_SOURCE
set -eu

if [ $# -ne 1 ]; then
	echo "usage: ${0##*/} KERNEL_SOURCE" >&2
	exit 2
fi
tree=$1
here=$(cd "$(dirname "$0")" && pwd)

if [ ! -f "$tree/net/Kconfig" ] || [ ! -f "$tree/net/Makefile" ]; then
	echo "${0##*/}: $tree is not a kernel source tree: no net/Kconfig in it" >&2
	exit 1
fi

# copy_if_changed FROM TO
copy_if_changed() {
	cmp -s "$1" "$2" && return
	mkdir -p "$(dirname "$2")"
	rm -f "$2" # the tree may be a hard-linked copy of another
	cp "$1" "$2"
}

# replace FILE: standard input becomes its content; written beside it first, so
# that neither a hard-linked original nor a half-written file is left
replace() {
	cat >"$1.nl31"
	mv "$1.nl31" "$1"
}

# drop what is gone here, or an old file would be built there for ever
if [ -d "$tree/net/nl31" ]; then
	(cd "$tree/net/nl31" && find . -name '*.[ch]') | while read -r file; do
		[ -f "$here/$file" ] || rm -f "$tree/net/nl31/$file"
	done
fi
(cd "$here" && find . \( -name '*.[ch]' ! -name '*.mod.c' -o -name Kconfig -o -name Kbuild \) \
	! -path './include/*') | while read -r file; do
	copy_if_changed "$here/$file" "$tree/net/nl31/$file"
done
copy_if_changed "$here/include/uapi/linux/nl31.h" "$tree/include/uapi/linux/nl31.h"

if ! grep -q '^source "net/nl31/Kconfig"$' "$tree/net/Kconfig"; then
	sed 's|^source "net/netlink/Kconfig"$|&\nsource "net/nl31/Kconfig"|' \
		"$tree/net/Kconfig" | replace "$tree/net/Kconfig"
fi
if ! grep -q 'nl31/$' "$tree/net/Makefile"; then
	sed '$a\obj-$(CONFIG_NL31)		+= nl31/' "$tree/net/Makefile" |
		replace "$tree/net/Makefile"
fi
if ! grep -q '^source "net/nl31/Kconfig"$' "$tree/net/Kconfig"; then
	echo "${0##*/}: found no place for nl31 in $tree/net/Kconfig" >&2
	exit 1
fi
