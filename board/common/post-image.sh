#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Makes the disk image of a board, by Buildroot's contract for post-image scripts:
# the first argument is the folder with the images, the second (from
# BR2_ROOTFS_POST_IMAGE_SCRIPT_ARGS) the board's, with its genimage.cfg.
set -eu

images=$1
board=$2

# A partition's first bytes, written with the image: S10data makes a file system
# where it finds nothing else. Not zeros: bmaptool leaves out what may be a hole, and
# what the disk had there before would stay; nor what flash reads as when it has lost
# a page.
yes "nl31: blank yet" | head -c 65536 >"$images/data.blank"

if [ -f "$board/extlinux.conf" ]; then
	cp "$board/extlinux.conf" "$images/"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"
genimage --config "$board/genimage.cfg" --rootpath "$work/root" --tmppath "$work/tmp" \
	--inputpath "$images" --outputpath "$images"

disk=$(sed -n 's/^image \(.*\.img\) {$/\1/p' "$board/genimage.cfg")
bmaptool create --output "$images/$disk.bmap" "$images/$disk"
cd "$images"
sha256sum "$disk" >"$disk.sha256"
