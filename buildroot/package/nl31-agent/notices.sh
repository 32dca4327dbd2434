#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Prints the licences and copyright notices of all crates that are linked into a program
# of this workspace: they have to go with the program. A text that several crates share is
# printed once. Fails if a crate comes without one.
# usage: notices.sh PACKAGE TARGET CRATES...
# CRATES are folders with the crates' sources, as NAME-VERSION or NAME. It is run in the
# workspace, and fetches nothing.
set -eu

if [ $# -lt 3 ]; then
	echo "usage: ${0##*/} PACKAGE TARGET CRATES..." >&2
	exit 2
fi
package=$1 target=$2
shift 2

# crate_folder NAME VERSION FOLDERS...
crate_folder() {
	name=$1 version=$2
	shift 2
	for folder in "$@"; do
		for crate in "$folder/$name-$version" "$folder/$name"; do
			if grep -qs "^version = \"$version\"$" "$crate/Cargo.toml"; then
				echo "$crate"
				return
			fi
		done
	done
	echo "notices: no source of $name $version in $*" >&2
	return 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What a compiler plugin contains stays in the compiler.
cargo tree --frozen --package "$package" --target "$target" --prefix none \
	--edges normal,no-proc-macro --format '{p}	{l}' >"$work/tree"
# Crates of this project name their folder.
sed '/(\//d; s/ (\*)$//' "$work/tree" | LC_ALL=C sort -u >"$work/crates"

tab=$(printf '\t')
while IFS=$tab read -r crate license; do
	folder=$(crate_folder "${crate% v*}" "${crate##* v}" "$@")
	none=true
	for file in "$folder"/*; do
		case $(basename "$file" | tr '[:lower:]' '[:upper:]') in
		LICEN[CS]E* | COPYING* | COPYRIGHT* | NOTICE* | UNLICENSE*) ;;
		*) continue ;;
		esac
		for text in "$file" "$file"/*; do
			[ -f "$text" ] || continue
			none=false
			sum=$(sha256sum <"$text" | cut -d ' ' -f 1)
			cp "$text" "$work/text-$sum"
			echo "$crate ($license)" >>"$work/users-$sum"
			[ -e "$work/seen-$sum" ] || echo "$sum" >>"$work/order"
			: >"$work/seen-$sum"
		done
	done
	if $none; then
		echo "notices: $crate ($license) has no file with its licence" >&2
		exit 1
	fi
done <"$work/crates"

echo "$package contains the work of others, under these licences and notices."
while read -r sum; do
	printf '\n%s\n' "--------------------------------------------------------------------------------"
	cat "$work/users-$sum"
	echo
	cat "$work/text-$sum"
done <"$work/order"
