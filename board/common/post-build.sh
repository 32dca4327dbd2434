#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Last hand on the root filesystem, by Buildroot's contract for post-build
# scripts: the first argument is the target's root. What it does can be done twice.
set -eu

target=$1

die() {
	echo "post-build: $*" >&2
	exit 1
}

[ -x "$target/usr/sbin/nl31-agent" ] || die "no /usr/sbin/nl31-agent in $target"
[ -e "$target/etc/inittab" ] || die "no /etc/inittab in $target"

# The console belongs to the agent, and no user logs in with an empty password.
if grep -Eq '^[^#]*(getty|askfirst|/bin/sh|login)' "$target/etc/inittab"; then
	die "/etc/inittab starts something else on a console"
fi
if [ -e "$target/etc/shadow" ]; then
	sed -i 's/^root:[^:]*:/root:*:/' "$target/etc/shadow"
fi
for script in "$target/etc/init.d/"rc? "$target/etc/init.d/"S??*; do
	[ ! -e "$script" ] || chmod 0755 "$script"
done
# a folder that was built before may still have it: nothing loads modules
rm -f "$target/etc/init.d/S11modules"
chmod 0644 "$target/etc/nl31/routes.conf"
# an editor of Windows ends lines with CR, which would become part of the name
if [ -e "$target/etc/hostname" ]; then
	sed -i 's/\r$//' "$target/etc/hostname"
fi
# An option of the image: the hash of the console's PIN. The agent keeps a line locked
# whose file has a mistake, so such an image is refused; the rules are those of the
# agent's access.rs.
access=$target/etc/nl31/console.conf
if [ -e "$access" ]; then
	mistake=$(LC_ALL=C awk '
		function wrong(what) { print NR ": " what; exit }
		function is_hex(text, count) {
			return length(text) == count && text !~ /[^0-9A-Fa-f]/
		}
		{ sub(/[ \t\r\f]+$/, "") }
		/^[ \t\r\f]*(#|$)/ { next }
		$1 == "read-only" && NF == 1 { next }
		$1 == "read-only" { wrong("nothing may follow `read-only`") }
		$1 != "pin" { wrong("expected `pin` or `read-only`") }
		pins++ { wrong("only one line may give a PIN") }
		$2 !~ /^[0-9]+$/ || $2 < 1 || $2 > 1000000 { wrong("expected rounds, 1 to 1000000") }
		!is_hex($3, 32) { wrong("expected the salt, 32 hex digits") }
		!is_hex($4, 64) { wrong("expected the hash, 64 hex digits") }
		NF > 4 { wrong("nothing may follow the hash") }' "$access")
	[ -z "$mistake" ] || die "/etc/nl31/console.conf:$mistake"
	chmod 0600 "$access"
fi

# What it is and what it was made from. An agent of another build would say otherwise; the lab
# names its image for the agent, which cannot name the image.
project=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$project/Cargo.toml")
build=$("$project/board/common/build-id.sh")
case $build in
lab-*) ;;
*)
	# git names others by appending to this name: the tree with edits, a commit after a tag
	if ! grep -aqF -e "$build" "$target/usr/sbin/nl31-agent" ||
		grep -aq -e "$build-dirty" -e "$build-[0-9][0-9]*-g" "$target/usr/sbin/nl31-agent"; then
		die "/usr/sbin/nl31-agent is not of build $build: the tree was changed meanwhile; run make again"
	fi
	;;
esac
rm -f "$target/etc/os-release"
cat >"$target/etc/os-release" <<END
NAME=nl31
ID=nl31
PRETTY_NAME="nl31 $version"
VERSION_ID=$version
BUILD_ID=$build
END

# where a disk's last partition is mounted; the root may be read-only
mkdir -p "$target/data"
