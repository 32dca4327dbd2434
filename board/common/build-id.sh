#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Prints what image and agent are made from: the lab names the content, a checkout its commit;
# files without a history are hashed.
set -eu

if [ -n "${NL31_BUILD_ID:-}" ]; then
	echo "$NL31_BUILD_ID"
	exit
fi
cd "$(dirname "$0")/../.."
# Buildroot sets GIT_DIR so that no package finds a history around it; the agent would have
# another name than the image.
unset GIT_DIR GIT_WORK_TREE
set -- Cargo.toml Cargo.lock agent board buildroot kmod rootfs-overlay

# Of this tree: it may lie, without a history, in a folder that has one.
if git ls-files --error-unmatch board/common/build-id.sh >/dev/null 2>&1; then
	build=$(git describe --always --dirty --abbrev=12)
	# What was never added goes into the image as well, which git does not call dirty.
	case $build in
	*-dirty) ;;
	*) [ -z "$(git ls-files --others --exclude-standard -- "$@")" ] || build=$build-dirty ;;
	esac
	echo "$build"
else
	find "$@" -name target -prune -o -type f -print0 |
		LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-12
fi
