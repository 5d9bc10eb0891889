#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest boots, sees what was asked for, and ends.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

@test "a guest that powers off ends ocivirt with status 0" {
	config "$(order poweroff)"
	start
	finish
	expect_status 0
	has 'guest running after [0-9]+ ms' "$err"
	has 'the guest powered off' "$err"
	has '^guest: powering off'
}

@test "the first line of the kernel is there" {
	config "$(order poweroff)" "$kernel_messages"
	start
	finish
	has '\[ +0\.000000\] Linux version'
}

@test "the guest gets the memory, CPUs and kernel parameters that were asked for" {
	config '.vm.kernel.parameters = []' "$(order poweroff)" "$(annotate memory 200M)" "$(annotate cpus 2)" \
		'.vm.kernel.parameters += ["one=1 2", "two"]' '.hostname = "mickey"'
	start
	finish
	expect_status 0
	has '^guest: ram-mib 200'
	has '^guest: cpus 2'
	has '^guest: cmdline console=ttyS0 systemd.hostname=mickey guest.order=poweroff one="1 2" two'
}

@test "the environment wins over annotations, and they over OCI fields" {
	config "$(order poweroff)" '.vm.hwConfig = {memory: 1073741824, vcpus: 4}'
	export OCIVIRT_MEMORY=160M
	start
	finish
	expect_status 0
	has '^guest: ram-mib 160'
	has '^guest: cpus 1'
}

@test "OCI resources size the guest" {
	config "$(order poweroff)" 'del(.annotations["org.ocivirt.memory", "org.ocivirt.cpus"])' \
		'.linux.resources = {cpu: {quota: 150000, period: 100000}, memory: {limit: 134217728}}'
	start
	finish
	expect_status 0
	has '^guest: ram-mib 128'
	has '^guest: cpus 2'
}

@test "ocivirt alone is ocivirt run, and \$OCIVIRT_CONFIG names the config" {
	config "$(order poweroff)"
	OCIVIRT_CONFIG=$bundle/config.json OCIVIRT_ROOT=$root run -0 "$ocivirt"
	[[ $output == *"guest: powering off"* ]]
}

@test "./config.json is found, and a config can come from standard input" {
	config "$(order poweroff)"
	cd "$bundle"
	# A machine may have an image's own config.
	[[ -e /etc/ocivirt/config.json ]] || "$ocivirt" validate
	"$ocivirt" validate --config - <config.json
}

@test "accel=auto takes what works, and says in one line when that is not KVM" {
	config "$(order poweroff)" "$(annotate accel auto)"
	start
	finish
	expect_status 0
	has '^guest: powering off'
	if ! "$ocivirt" xml --bundle "$bundle" | grep -q 'type="kvm"'; then
		[[ $(grep -c 'TCG' "$err") -eq 1 ]]
	fi
}

@test "--timings tells the parts of the start" {
	config "$(order poweroff)"
	start --timings
	finish
	has 'timing: libvirt opened' "$err"
	has 'timing: QEMU started' "$err"
}

@test "xml prints what libvirt's schema accepts" {
	config
	"$ocivirt" xml --bundle "$bundle" >"$BATS_TEST_TMPDIR/domain.xml"
	virt-xml-validate "$BATS_TEST_TMPDIR/domain.xml" domain
}

@test "a kernel's image boots from a disk, and writes go to an overlay that survives" {
	cp "$guest/disk.raw" "$BATS_TEST_TMPDIR/disk.raw"
	local before
	before=$(sha256sum <"$BATS_TEST_TMPDIR/disk.raw")
	config 'del(.vm.kernel)' ".vm.image = {path: \"$BATS_TEST_TMPDIR/disk.raw\", format: \"raw\"}"
	mkfifo "$BATS_TEST_TMPDIR/in"
	"$ocivirt" run --bundle "$bundle" --root "$root" >"$out" 2>"$err" <"$BATS_TEST_TMPDIR/in" 3>&- &
	pid=$!
	exec 4>"$BATS_TEST_TMPDIR/in"
	wait_for '^guest: ready'
	echo 'order disk-write kept' >&4
	wait_for '^guest: disk says kept'
	echo 'order poweroff' >&4
	finish
	exec 4>&-
	expect_status 0
	[[ $(sha256sum <"$BATS_TEST_TMPDIR/disk.raw") == "$before" ]]

	"$ocivirt" run --bundle "$bundle" --root "$root" >"$out" 2>"$err" <"$BATS_TEST_TMPDIR/in" 3>&- &
	pid=$!
	exec 4>"$BATS_TEST_TMPDIR/in"
	wait_for '^guest: ready'
	echo 'order disk-read' >&4
	wait_for '^guest: disk says kept'
	echo 'order poweroff' >&4
	finish
	exec 4>&-
	expect_status 0
}

@test "a qcow2 image boots; another image under the same overlay is refused" {
	# Not where the tree is a volume: what is on one is written directly.
	cp "$guest/disk.qcow2" "$BATS_TEST_TMPDIR/disk.qcow2"
	config 'del(.vm.kernel)' ".vm.image = {path: \"$BATS_TEST_TMPDIR/disk.qcow2\", format: \"qcow2\"}"
	start
	wait_for '^guest: listening'
	kill -TERM "$pid"
	finish
	expect_status 0
	cp "$guest/disk.qcow2" "$BATS_TEST_TMPDIR/other.qcow2"
	config 'del(.vm.kernel)' ".vm.image = {path: \"$BATS_TEST_TMPDIR/other.qcow2\", format: \"qcow2\"}"
	start
	finish
	expect_status 78
	has "$root/disks/vda.qcow2 was made for $BATS_TEST_TMPDIR/disk.qcow2" "$err"
	[[ -e $root/disks/vda.qcow2 ]]
}

@test "an image of another format, or one that stands on another, is refused: status 78" {
	config 'del(.vm.kernel)' ".vm.image = {path: \"$guest/disk.raw\", format: \"qcow2\"}"
	start
	finish
	expect_status 78
	has 'vm.image: .*not in qcow2 format' "$err"
	qemu-img create -q -f qcow2 -b "$guest/disk.raw" -F raw "$BATS_TEST_TMPDIR/upper.qcow2"
	config 'del(.vm.kernel)' ".vm.image = {path: \"$BATS_TEST_TMPDIR/upper.qcow2\", format: \"qcow2\"}"
	start
	finish
	expect_status 78
	has "needs another file, $guest/disk.raw.*qemu-img convert" "$err"
	[[ ! -e $root/disks/vda.qcow2 ]]
}

@test "an image that names another file as its data is refused: status 78" {
	qemu-img create -q -f qcow2 -o data_file="$BATS_TEST_TMPDIR/data",data_file_raw=on "$BATS_TEST_TMPDIR/a.qcow2" 1M
	config 'del(.vm.kernel)' ".vm.image = {path: \"$BATS_TEST_TMPDIR/a.qcow2\", format: \"qcow2\"}"
	start
	finish
	expect_status 78
	has "another file, $BATS_TEST_TMPDIR/data" "$err"
}
