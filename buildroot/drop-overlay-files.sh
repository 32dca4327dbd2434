#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Removes from TARGET the files of overlays that are in none of them any more, by LIST, the files
# that they had at the last build; then LIST is written anew. Buildroot copies overlays into the
# target, and takes nothing away there.
# usage: drop-overlay-files.sh LIST TARGET [OVERLAY...]
set -eu

if [ $# -lt 2 ]; then
	echo "usage: ${0##*/} LIST TARGET [OVERLAY...]" >&2
	exit 2
fi
list=$1 target=$2
shift 2

# what Buildroot copies of them, but for folders
for overlay in "$@"; do
	(cd "$overlay" && find . ! -type d ! -name .empty ! -name '*~')
done | LC_ALL=C sort -u >"$list.new"
if [ -e "$list" ]; then
	LC_ALL=C comm -23 "$list" "$list.new" | while IFS= read -r file; do
		echo "${file#./} is in no overlay any more: removed from the image"
		rm -f "$target/$file"
	done
fi
mv "$list.new" "$list"
