#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Brings a stamp up to date: a file that make compares with what was built from its sources. Its
# time changes with the sources' content and names, with TEXT, and with nothing else: a checkout
# or an archive may give changed files an older time.
# usage: stamp.sh STAMP TEXT PATH...
set -eu

if [ $# -lt 3 ]; then
	echo "usage: ${0##*/} STAMP TEXT PATH..." >&2
	exit 2
fi
stamp=$1 text=$2
shift 2

mkdir -p "$(dirname "$stamp")"
# what plain cargo and make built there is no source
{
	echo "$text"
	find "$@" -name target -prune -o -type f ! -name '*.o' ! -name '*.cmd' -print0 |
		LC_ALL=C sort -z | xargs -0 sha256sum
} >"$stamp.new"
if cmp -s "$stamp.new" "$stamp"; then
	rm "$stamp.new"
else
	mv "$stamp.new" "$stamp"
fi
