#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Fails unless every line of the fragments is in the configuration, of the kernel or of another
# program that Kconfig configures.
# usage: check-fragments.sh CONFIG [FRAGMENT...]
set -eu

if [ $# -lt 1 ]; then
	echo "usage: ${0##*/} CONFIG [FRAGMENT...]" >&2
	exit 2
fi
config=$1
shift

lost=0
for fragment in "$@"; do
	number=0
	while IFS= read -r line || [ -n "$line" ]; do
		number=$((number + 1))
		case $line in
		CONFIG_*=n) symbol=${line%=n} ;;
		"# CONFIG_"*" is not set") symbol=${line#\# } symbol=${symbol% is not set} ;;
		CONFIG_*=*) symbol= ;;
		*) continue ;;
		esac
		if [ -n "$symbol" ]; then
			# off: not set, or not even visible
			grep -q "^$symbol=" "$config" || continue
		else
			grep -Fqx -- "$line" "$config" && continue
		fi
		echo "$fragment:$number: '$line' did not survive into the configuration:" \
			"the symbol is unknown, what it depends on is missing, or something overrides it" >&2
		lost=1
	done <"$fragment"
done
exit $lost
