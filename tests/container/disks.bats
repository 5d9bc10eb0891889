#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whose data stay: a volume's, an overlay's.

load helpers
setup() { common_setup; }
teardown() {
	common_teardown
	remove_made
}

# disk PLACE SOURCE: the jq filter that makes SOURCE a disk.
disk() {
	echo ".mounts += [{destination: \"$1\", type: \"bind\", source: \"$2\"}]"
}

@test "a disk on a volume is the same in a new container, with no privileges at all" {
	podman volume create "$name" >/dev/null
	local data
	data=$(podman volume inspect --format '{{.Mountpoint}}' "$name")
	qemu-img create -q -f qcow2 "$data/disk.qcow2" 8M
	chown -R 1000:1000 "$data"
	config "$(annotate network none)" "$(disk /dev/vdb /data)" "$(order disk-write,kept,vdb)" "$(order poweroff)"
	run_vm --rm "${unprivileged[@]}" -v "$name:/data"
	expect_status 0
	has '^guest: disk says kept'
	config "$(annotate network none)" "$(disk /dev/vdb /data)" "$(order disk-read,vdb)" "$(order poweroff)"
	run_vm --rm "${unprivileged[@]}" -v "$name:/data"
	expect_status 0
	has '^guest: disk says kept'
	has 'guest running' "$err"
}

@test "a volume that is read-only: said so, with what to do" {
	podman volume create "$name" >/dev/null
	local data
	data=$(podman volume inspect --format '{{.Mountpoint}}' "$name")
	qemu-img create -q -f raw "$data/disk.raw" 8M
	config "$(annotate network none)" "$(disk /dev/vdb /data/disk.raw)" "$(order disk-write,kept,vdb)" "$(order poweroff)"
	run_vm --rm -v "$name:/data:ro"
	expect_status 78
	has 'mounts\[0\].source: cannot write the disk image /data/disk.raw: .*org.ocivirt.disk=overlay' "$err"
	run_vm --rm -v "$name:/data:ro" -e OCIVIRT_DISK=overlay
	expect_status 0
	has '^guest: disk says kept'
}

@test "an overlay on a disk of the image stays while the container does, and goes with it" {
	qemu-img create -q -f raw "$bundle/data.raw" 8M
	printf 'FROM %s\nCOPY data.raw /images/\n' "$image" >"$bundle/Containerfile"
	podman build --quiet --tag "localhost/$name" "$bundle" >/dev/null
	image=localhost/$name
	config "$(annotate network none)" "$(disk /dev/vdb /images/data.raw)" "$(order disk-write,kept,vdb)" "$(order poweroff)"
	run_vm
	expect_status 0
	has '^guest: disk says kept'
	config "$(annotate network none)" "$(disk /dev/vdb /images/data.raw)" "$(order disk-read,vdb)" "$(order poweroff)"
	podman restart "$name" >/dev/null
	wait_for '^guest: ready|guest: powering off'
	finish
	[[ $(grep -ac '^guest: disk says kept' "$out") == 2 ]]
	podman rm "$name" >/dev/null
	run_vm
	expect_status 0
	has '^guest: disk says'
	has_not '^guest: disk says kept'
}
