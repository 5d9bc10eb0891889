#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Disks: where they come from, where their writes go, and what happens when there is no room for them.

load helpers

setup() {
	common_setup
	# A file system of its own: what a container has as a volume.
	volume=$BATS_TEST_TMPDIR/volume
	mkdir "$volume"
	mount -t tmpfs -o size=64m none "$volume"
}

teardown() {
	exec 4>&-
	[[ -z ${loop-} ]] || losetup --detach "$loop"
	[[ -z ${pid-} ]] || kill -KILL "$pid" 2>/dev/null || true
	sleep 0.5 # for QEMU to be gone
	umount --lazy "$volume"
	! mountpoint -q "$root" || umount --lazy "$root"
	common_teardown
}

# image NAME [FORMAT [SIZE]]: a new image on the volume.
image() {
	qemu-img create -q -f "${2:-raw}" "$volume/$1" "${3:-8M}"
}

# disk PLACE SOURCE [OPTION]: the jq filter that makes SOURCE a disk.
disk() {
	echo ".mounts += [{destination: \"$1\", type: \"bind\", source: \"$2\", options: [\"bind\"${3+, \"$3\"}]}]"
}

refused() {
	local expected=$1
	shift
	run "-$expected" --separate-stderr "$ocivirt" run --bundle "$bundle" --root "$root"
	printf '%s\n' "$stderr" >"$err"
	local pattern
	for pattern; do
		has "$pattern" "$err"
	done
}

# start_listening: as start; what is written to descriptor 4 is typed on the guest's console.
start_listening() {
	[[ -p $BATS_TEST_TMPDIR/in ]] || mkfifo "$BATS_TEST_TMPDIR/in"
	: >"$out"
	: >"$err"
	"$ocivirt" run --bundle "$bundle" --root "$root" >"$out" 2>"$err" <"$BATS_TEST_TMPDIR/in" 3>&- &
	pid=$!
	exec 4>"$BATS_TEST_TMPDIR/in"
	wait_for '^guest: ready'
}

power_off() {
	echo 'order poweroff' >&4
	finish
	exec 4>&-
	expect_status 0
}

# The first MIB of what the guest's order disk-fill writes.
sum_of_fill() {
	local n
	for ((n = 0; n < $1; n++)); do
		yes "the $n th MiB of this disk" | head -c 1048576
	done | sha256sum | cut -d ' ' -f 1
}

@test "a file on a volume is a disk, is written directly, and keeps what was written" {
	image data.raw
	config "$(disk /dev/vdb "$volume/data.raw")" "$(order disk-write,kept,vdb)" "$(order poweroff)"
	start
	finish
	expect_status 0
	has '^guest: disk vda 8388608'
	has '^guest: disk vda serial vdb'
	has '^guest: disk says kept'
	[[ $(dd if="$volume/data.raw" bs=512 skip=128 count=1 2>/dev/null | head -c 4) == kept ]]
	[[ ! -e $root/disks/vda.qcow2 ]]
	config "$(disk /dev/disk/by-id/virtio-data "$volume/data.raw")" "$(order disk-read,data)" "$(order poweroff)"
	start
	finish
	has '^guest: disk says kept'
}

@test "formats: by the file's name, or as the option says" {
	image a.qcow2 qcow2
	image b.img vmdk
	image c.vhd vpc
	config "$(disk /dev/a "$volume/a.qcow2")" "$(disk /dev/b "$volume/b.img" format=vmdk)" "$(disk /dev/c "$volume/c.vhd")" \
		"$(order disk-write,one,a)" "$(order disk-write,two,b)" "$(order disk-write,three,c)" "$(order poweroff)"
	start
	finish
	expect_status 0
	has '^guest: disk says one'
	has '^guest: disk says two'
	has '^guest: disk says three'
}

@test "a file of the container's own gets an overlay, which survives a restart" {
	local own=$BATS_TEST_TMPDIR/own.raw before
	qemu-img create -q -f raw "$own" 8M
	before=$(sha256sum <"$own")
	config "$(disk /dev/vdb "$own")" "$(order disk-write,kept)" "$(order poweroff)"
	start
	finish
	expect_status 0
	[[ $(sha256sum <"$own") == "$before" ]]
	[[ $(jq -r .image "$root/disks/vda.json") == "$own" ]]
	config "$(disk /dev/vdb "$own")" "$(order disk-read)" "$(order poweroff)"
	start
	finish
	has '^guest: disk says kept'
}

@test "an image that was replaced under its overlay is refused, and goes on when it is back" {
	local own=$BATS_TEST_TMPDIR/own.raw
	qemu-img create -q -f raw "$own" 8M
	config "$(disk /dev/vdb "$own")" "$(order disk-write,kept)" "$(order poweroff)"
	start
	finish
	expect_status 0
	# As a reproducible build of another image has it: the same name, size and times.
	cp --preserve "$own" "$own.old"
	printf x | dd of="$own" bs=1 seek=1048580 conv=notrunc status=none
	touch --reference "$own.old" "$own"
	refused 78 "mounts\[0\]: the image $own has changed under its overlay $root/disks/vda.qcow2: there are other data in it" \
		'bring that one back, or remove the overlay'
	cp --preserve "$own.old" "$own"
	config "$(disk /dev/vdb "$own")" "$(order disk-read)" "$(order poweroff)"
	start
	finish
	expect_status 0
	has '^guest: disk says kept'
}

@test "a format that is not the image's is refused; so is a raw one that begins like another" {
	image a.raw qcow2
	config "$(disk /dev/vdb "$volume/a.raw")"
	refused 78 "mounts\[0\]: $volume/a.raw is to be a raw image, and begins like one of format qcow2"
	image b.qcow2 raw
	config "$(disk /dev/vdb "$volume/b.qcow2")"
	refused 78 "mounts\[0\]: .*not in qcow2 format"
	image c.vdi vmdk
	config "$(disk /dev/vdb "$volume/c.vdi")"
	refused 78 "mounts\[0\]: $volume/c.vdi is an image of format vmdk, not vdi"
}

# What the check is for.
@test "a guest that writes another format's header to its raw disk gets nothing by it" {
	image data.raw
	qemu-img create -q -f qcow2 -b /etc/passwd -F raw "$BATS_TEST_TMPDIR/trap"
	config "$(disk /dev/vdb "$volume/data.raw")" "$(order poweroff)"
	dd if="$BATS_TEST_TMPDIR/trap" of="$volume/data.raw" conv=notrunc status=none
	refused 78 'begins like one of format qcow2'
}

@test "a folder with one file in it is that disk; none or two are refused" {
	mkdir "$volume/disk"
	config "$(disk /dev/vdb "$volume/disk")" "$(order poweroff)"
	refused 78 "config.json:[0-9]+:[0-9]+: mounts\[0\].source: the folder $volume/disk has no image in it"
	image disk/one.qcow2 qcow2
	start
	finish
	expect_status 0
	has '^guest: disk vda 8388608'
	image disk/two.qcow2 qcow2
	refused 78 'more than one file in it, .*: one.qcow2, two.qcow2'
}

@test "vm.image can be a folder with the image in it" {
	mkdir "$volume/disk"
	cp "$guest/disk.qcow2" "$volume/disk/system.qcow2"
	config 'del(.vm.kernel)' ".vm.image = {path: \"$volume/disk\"}"
	start
	wait_for '^guest: listening'
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "disk-size makes the disk larger, directly and as an overlay, and never smaller" {
	image data.raw raw 8M
	config "$(disk /dev/vdb "$volume/data.raw")" "$(annotate disk-size 12M)" "$(order disk-write,kept)" "$(order poweroff)"
	start
	finish
	expect_status 0
	has '^guest: disk vda 12582912'
	has 'mounts\[0\]: the disk had 8 MiB, and has 12 MiB now' "$err"
	config "$(disk /dev/vdb "$volume/data.raw")" "$(annotate disk-size 10M)" "$(annotate disk overlay)" \
		"$(order disk-read)" "$(order poweroff)"
	start
	finish
	expect_status 0
	has '^guest: disk vda 12582912'
	has '^guest: disk says kept'
	has 'warning: mounts\[0\]: the disk has 12 MiB, and is not made smaller: disk-size is 10 MiB' "$err"
	OCIVIRT_DISK_SIZE=16M start
	finish
	expect_status 0
	has '^guest: disk vda 16777216'
	[[ $(stat --format %s "$volume/data.raw") == 12582912 ]]
}

@test "a volume that cannot be written: refused, or read-only, or with an overlay" {
	image data.raw
	mount -o remount,ro "$volume"
	config "$(disk /dev/vdb "$volume/data.raw")" "$(order poweroff)"
	refused 78 "mounts\[0\].source: cannot write the disk image $volume/data.raw: Read-only file system; .*option ro.*org.ocivirt.disk=overlay"
	config "$(disk /dev/vdb "$volume/data.raw" ro)" "$(order poweroff)"
	start
	finish
	expect_status 0
	has '^guest: disk vda read-only'
	config "$(disk /dev/vdb "$volume/data.raw")" "$(annotate disk overlay)" "$(order disk-write,kept)" "$(order poweroff)"
	start
	finish
	expect_status 0
	has '^guest: disk says kept'
}

@test "a block device from a mount is a disk, and is written past the page cache" {
	image backing.raw
	loop=$(losetup --find --show "$volume/backing.raw")
	config "$(disk /srv/data "$loop")" "$(order disk-write,kept,srv-data)" "$(order poweroff)"
	start
	finish
	expect_status 0
	has '^guest: disk says kept'
	[[ $(dd if="$loop" bs=512 skip=128 count=1 2>/dev/null | head -c 4) == kept ]]
	has '"driver":"host_device","filename":"'"$loop"'","aio":"native"' "$root"/log/qemu/*.log
	has '"cache":\{"direct":true' "$root"/log/qemu/*.log
}

@test "a disk that is used by another VM is refused" {
	image data.raw
	config "$(disk /dev/vdb "$volume/data.raw")" "$(order wait)"
	start_listening
	refused_root=$(mktemp -d /tmp/ocivirt-test.XXXXXX)
	run -69 --separate-stderr "$ocivirt" run --bundle "$bundle" --root "$refused_root"
	rm -rf "$refused_root"
	[[ $stderr == *"mounts[0]: $volume/data.raw is in use by another VM"* ]]
	power_off
}

@test "64 disks: each is there, and a guest with one CPU has interrupts for all" {
	local filter n
	for n in {0..63}; do
		image "$n.raw" raw 1M
	done
	filter=".mounts = [range(64) | {destination: \"/dev/disk\(.)\", type: \"bind\", source: \"$volume/\(.).raw\"}]"
	config "$filter" "$(annotate memory 256M)" "$(order disk-write,first,disk0)" "$(order disk-write,last,disk63)" "$(order poweroff)"
	start
	finish
	expect_status 0
	[[ $(grep -acE '^guest: disk vd[a-z]+ [0-9]+' "$out") == 64 ]]
	has '^guest: disk vdbl serial disk63'
	[[ $(dd if="$volume/0.raw" bs=512 skip=128 count=1 2>/dev/null | head -c 5) == first ]]
	[[ $(dd if="$volume/63.raw" bs=512 skip=128 count=1 2>/dev/null | head -c 4) == last ]]
}

# As the guest's own disks: what it was told is written is written, whatever happens beside it.
@test "no room for an overlay: the guest is paused, goes on by itself when there is, and nothing is lost" {
	local own=$BATS_TEST_TMPDIR/own.raw
	qemu-img create -q -f raw "$own" 16M
	mount -t tmpfs -o size=6m none "$root"
	config "$(disk /dev/vdb "$own")" "$(order wait)"
	# To be paused while it is made, which it cannot be, is no wish for later.
	(
		until [[ -e $root/instance.json ]]; do sleep 0.01; done
		pkill -TSTP -o -f -- "--root $root"
		sleep 2
		# Unless that came too late, for a machine that is slow.
		[[ $("$ocivirt" state --root "$root" | jq -r .vm.lifecycle) != paused ]] || pkill -CONT -o -f -- "--root $root"
	) >/dev/null 2>&1 3>&- &
	start_listening
	echo 'order disk-fill 12' >&4
	wait_for "the guest is paused: there is no room for what it writes to disk vda, $root/disks/vda.qcow2: of 6 MiB, the file system at $root has .* free" "$err"
	sleep 3
	has_not 'there is room again' "$err"
	has_not 'disk filled 12'
	mount -o remount,size=60m "$root"
	wait_for 'there is room again: the guest goes on' "$err"
	wait_for '^guest: disk filled 12'
	echo 'order disk-sum 12' >&4
	wait_for "^guest: disk sum $(sum_of_fill 12)"
	power_off
	has_not 'disk not filled'
	qemu-img convert -f qcow2 -O raw "$root/disks/vda.qcow2" "$volume/copy"
	[[ $(head -c 12582912 "$volume/copy" | sha256sum | cut -d ' ' -f 1) == "$(sum_of_fill 12)" ]]
}

@test "no room for a takeover: the VM goes on, and is taken over when there is" {
	mount -t tmpfs -o size=8m none "$root"
	config "$(order count)"
	start
	wait_for '^guest: count 3'
	dd if=/dev/zero of="$root/fill" bs=4k 2>"$BATS_TEST_TMPDIR/dd" || true
	grep -q 'No space left' "$BATS_TEST_TMPDIR/dd"
	kill -KILL "$(engine_pid)"
	wait_for 'the VM goes on, and is taken over once there is; make room there' "$err"
	sleep 2
	has_not 'the VM is taken over after' "$err"
	rm "$root/fill"
	wait_for 'the VM is taken over after' "$err"
	local before
	before=$(grep -ac '^guest: count' "$out")
	wait_for "^guest: count $((before + 5))"
	has_not '^guest: boot 2'
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "a file system that does not say how much is free keeps no VM from its next engine" {
	mount -t tmpfs -o size=0 none "$root"
	[[ $(stat -f -c %a "$root") == 0 ]]
	config "$(order count)"
	start
	wait_for '^guest: count 3'
	kill -KILL "$(engine_pid)"
	wait_for 'the VM is taken over after' "$err"
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "a VM that could not be noted as running, for want of room, is noted when there is" {
	mount -t tmpfs -o size=8m none "$root"
	local hook=$BATS_TEST_TMPDIR/hook
	printf '#!/bin/sh\ndd if=/dev/zero of="%s/fill" bs=4k 2>&1\nexit 0\n' "$root" >"$hook"
	chmod 755 "$hook"
	config "$(order wait)" ".hooks.createRuntime = [{path: \"$hook\"}]"
	start
	wait_for '^guest: ready'
	has 'warning: .*instance.json.*No space left' "$err"
	[[ $(jq -r .status "$root/instance.json") != running ]]
	rm "$root/fill"
	local deadline=$((SECONDS + PATIENCE))
	until [[ $(jq -r .status "$root/instance.json") == running ]]; do
		((SECONDS < deadline))
		sleep 0.2
	done
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "no room on a volume: the guest is paused, and resumed with CONT; stopped it ends in order" {
	mount -o remount,size=5m "$volume"
	image data.raw raw 16M
	config "$(disk /dev/vdb "$volume/data.raw")" "$(order wait)"
	start_listening
	echo 'order disk-fill 8' >&4
	wait_for "the guest is paused: .* disk vda, $volume/data.raw: of 5 MiB, the file system at $volume has .* free" "$err"
	# Without room it is paused again.
	kill -CONT "$pid"
	sleep 3
	(($(grep -c 'the guest is paused' "$err") == 2))
	# Who wants it paused has it paused, room or not.
	"$ocivirt" pause --root "$root"
	run -69 "$ocivirt" pause --root "$root"
	mount -o remount,size=8m "$volume"
	sleep 3
	has_not 'there is room again' "$err"
	kill -CONT "$pid"
	wait_for '^guest: disk filled [67]'
	sleep 2
	kill -TERM "$pid"
	finish
	[[ $status == 137 || $status == 0 ]]
	has 'asking the guest to power off' "$err"
}

@test "room that comes in drops does not fill the log" {
	mount -o remount,size=3m "$volume"
	image data.raw raw 32M
	config "$(disk /dev/vdb "$volume/data.raw")" "$(order wait)"
	start_listening
	echo 'order disk-fill 32' >&4
	wait_for 'the guest is paused: ' "$err"
	local size
	# Each drop is written before the next comes.
	for size in {4300..14200..1100}; do
		mount -o remount,size="${size}k" "$volume"
		sleep 3
	done
	local times
	times=$(grep -c 'the guest is paused' "$err")
	((times >= 2 && times <= 6))
	mount -o remount,size=64m "$volume"
	wait_for '^guest: disk filled 32'
	power_off
}

@test "room that comes while no engine is there is found by the next" {
	mount -o remount,size=5m "$volume"
	image data.raw raw 16M
	config "$(disk /dev/vdb "$volume/data.raw")" "$(order wait)"
	start_listening
	echo 'order disk-fill 8' >&4
	wait_for 'the guest is paused: ' "$err"
	kill -KILL "$(engine_pid)"
	wait_for 'the VM is taken over' "$err"
	mount -o remount,size=64m "$volume"
	wait_for '^guest: disk filled 8'
	power_off
	[[ $(head -c 8388608 "$volume/data.raw" | sha256sum | cut -d ' ' -f 1) == "$(sum_of_fill 8)" ]]
}
