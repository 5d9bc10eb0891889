#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a config asks of the host: CPUs, NUMA nodes, huge pages, block devices.

load helpers

hugepages=/sys/kernel/mm/hugepages/hugepages-2048kB

setup() { common_setup; }
teardown() {
	[[ -z ${loop-} ]] || losetup --detach "$loop"
	[[ -z ${mounted-} ]] || umount "$mounted"
	common_teardown
}

# attach BYTES: $loop is a new block device; $major and $minor are its numbers.
attach() {
	truncate --size "$1" "$BATS_TEST_TMPDIR/disk"
	loop=$(losetup --find --show "$BATS_TEST_TMPDIR/disk")
	major=$((0x$(stat --format %t "$loop")))
	minor=$((0x$(stat --format %T "$loop")))
}

# device [MEMBERS]: the jq filter that gives it to the VM.
device() {
	echo ".linux.devices += [{type: \"b\", path: \"$loop\", major: $major, minor: $minor${1+, $1}}]"
}

refused() {
	run -78 --separate-stderr "$ocivirt" run --bundle "$bundle" --root "$root"
	printf '%s\n' "$stderr" >"$err"
	has "$1" "$err"
}

@test "a block device is a disk with a serial number, and is written to" {
	attach 16M
	config "$(device)" "$(order disk-write,kept)" "$(order poweroff)"
	start
	finish
	expect_status 0
	has "^guest: disk vda 16777216"
	has "^guest: disk vda serial ${loop#/dev/}"
	has_not '^guest: disk vda read-only'
	[[ $(dd if="$loop" bs=512 skip=128 count=1 2>/dev/null | head -c 4) == kept ]]
}

@test "a device that may not be written to is a read-only disk" {
	attach 16M
	config "$(device)" "$(order poweroff)" \
		".linux.resources.devices = [{allow: false, access: \"rwm\"}, {allow: true, type: \"b\", major: $major, minor: $minor, access: \"r\"}]"
	start
	finish
	expect_status 0
	has '^guest: disk vda read-only'
}

@test "devices that are not what they should be are refused" {
	attach 16M
	config ".linux.devices = [{type: \"b\", path: \"$loop\", major: 259, minor: $minor}]"
	refused "linux.devices\[0\].path: $loop is device $major:$minor, and not 259:$minor"
	config '.linux.devices = [{type: "b", path: "/dev/nonexistent", major: 7, minor: 1}]'
	refused 'there is no device /dev/nonexistent.*--device /dev/nonexistent'
	config '.linux.devices = [{type: "b", path: "/dev/null", major: 1, minor: 3}, {type: "b", path: "/etc/passwd", major: 1, minor: 3}]'
	refused 'linux.devices\[1\].path: /etc/passwd is not a block device'
	config '.linux.devices = [{type: "c", path: "/dev/fuse", major: 10, minor: 229}]'
	refused '/dev/fuse is not possible in a VM'
}

@test "a disk that is mounted on the host is refused" {
	attach 16M
	mke2fs -q "$loop"
	mounted=$BATS_TEST_TMPDIR/mounted
	mkdir "$mounted"
	mount "$loop" "$mounted"
	config "$(device)"
	refused "$loop is in use on the host"
}

@test "a privileged container's list of all devices gives none of them to the guest" {
	attach 16M
	config "$(device)" "$(order poweroff)" '.linux.resources.devices = [{allow: true, access: "rwm"}]'
	start
	finish
	expect_status 0
	has_not '^guest: disk'
}

@test "limits on a block device are limits of its disk" {
	attach 16M
	config "$(device)" "$(order poweroff)" ".linux.resources.blockIO.throttleReadBpsDevice = [{major: $major, minor: $minor, rate: 1048576}]"
	run -0 "$ocivirt" xml --bundle "$bundle" --root "$root"
	[[ $output == *"<read_bytes_sec>1048576</read_bytes_sec>"* ]]
	start
	finish
	expect_status 0
}

@test "NUMA nodes: those that are there are used, others refused" {
	config "$(order poweroff)" '.linux.resources.cpu.mems = "0"'
	start
	finish
	expect_status 0
	has '"host-nodes":\[0\],"policy":"bind"' "$root"/log/qemu/*.log
	config '.linux.memoryPolicy = {mode: "MPOL_INTERLEAVE", nodes: "1000"}'
	refused 'linux.memoryPolicy.nodes: none of the NUMA nodes 1000 is on this host'
}

@test "CPUs: those that are there are used, others refused" {
	config "$(order count)" '.linux.resources.cpu.cpus = "0"'
	start
	wait_for '^guest: count'
	[[ $(taskset -pc "$(qemu_pid)") == *": 0" ]]
	kill -QUIT "$pid"
	finish
	config '.linux.resources.cpu.cpus = "5000-5001"'
	refused 'linux.resources.cpu.cpus: none of the CPUs 5000-5001 may be used here'
}

@test "huge pages: used where there are enough, else it is said how many" {
	local before
	before=$(<$hugepages/nr_hugepages)
	echo $((before + 64)) >$hugepages/nr_hugepages
	config "$(order poweroff)" "$(annotate hugepages 2M)"
	start
	finish
	echo "$before" >$hugepages/nr_hugepages
	expect_status 0
	has '"hugetlb":true,"hugetlbsize":2097152' "$root"/log/qemu/*.log

	config "$(annotate hugepages 2M)" "$(annotate memory 8G)"
	run -69 --separate-stderr "$ocivirt" run --bundle "$bundle" --root "$root"
	[[ $stderr == *'needs 4096 huge pages of 2 MiB, and '*' are free; reserve them on the host'* ]]
	config "$(annotate hugepages 2M)" '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 67108864}]'
	refused 'linux.resources.hugepageLimits\[0\].limit: the guest.s memory of 128 MiB, in huge pages of 2 MiB, does not fit'
}
