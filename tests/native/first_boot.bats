#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a guest is told before it has a network, as the host sees it. debian.bats has a guest that obeys.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

# seed FILE: the text of a file on cloud-init's disk, which the running VM has.
seed() {
	bsdtar -xOf "$root/run/seed.iso" "$1"
}

qemu_command_line() {
	tr '\0' '\n' <"/proc/$(qemu_pid)/cmdline"
}

@test "cloud-init's data is on the last disk, read-only, with the label that cloud-init looks for" {
	# Whatever bytes these are, they are passed on as they are.
	printf '#cloud-config\n# \xc3\xa4\n\nusers: [default]\n' >"$bundle/user-data"
	echo 'version: 2' >"$bundle/network-config"
	qemu-img create -q -f qcow2 "$bundle/disk.qcow2" 1M
	config "$(order wait)" "$(annotate cloud-init.user-data ./user-data)" "$(annotate cloud-init.network-config "$bundle/network-config")" \
		'.vm.image = {path: "'"$bundle"'/disk.qcow2", format: "qcow2"}' '.hostname = "vm-1"' \
		"$(annotate ssh-authorized-keys 'ssh-ed25519 AAAAC3Nza me')" "$(annotate password-hash 'bob:$6$salt$hash')"
	start
	wait_for '^guest: ready'
	has '^guest: disk vda 1048576'
	has '^guest: disk vdb read-only'
	has '^guest: disk vdb serial cidata'
	[[ $(blkid -p -o value -s LABEL "$root/run/seed.iso") == cidata ]]
	[[ $(stat -c %a "$root/run/seed.iso") == 600 ]]
	seed user-data | cmp - "$bundle/user-data"
	seed network-config | cmp - "$bundle/network-config"
	run -0 jq -r '."instance-id", ."local-hostname", ."public-keys"[]' <(seed meta-data)
	"$ocivirt" xml --bundle "$bundle" | grep -qF "<uuid>${lines[0]}</uuid>"
	[[ ${lines[1]} == vm-1 && ${lines[2]} == 'ssh-ed25519 AAAAC3Nza me' ]]
	[[ $(seed vendor-data | head -n 1) == '#cloud-config-archive' ]]
	kill -QUIT "$pid"
	finish
	[[ ! -e $root/run/seed.iso ]]
}

@test "a file is read anew at each start" {
	echo '#cloud-config' >"$bundle/user-data"
	config "$(order wait)" "$(annotate cloud-init.user-data ./user-data)"
	start
	wait_for '^guest: up'
	kill -QUIT "$pid"
	finish
	echo '#!/bin/sh' >"$bundle/user-data"
	start
	wait_for '^guest: up'
	[[ $(seed user-data) == '#!/bin/sh' ]]
	kill -QUIT "$pid"
	finish
}

@test "secrets are in files for their owner alone, and not on QEMU's command line" {
	echo '{"ignition": {"version": "3.4.0"}, "secret": "hidden-1"}' >"$bundle/a.ign"
	config "$(order wait)" "$(annotate ignition ./a.ign)" "$(annotate fw-cfg.opt/org.example/b hidden-2)" \
		"$(annotate password-hash 'root:$6$hidden-3$hash')" "$(annotate credential.told 'to all, and all')"
	start
	wait_for '^guest: up'
	run -0 qemu_command_line
	[[ $output != *hidden* ]]
	[[ $output == *"name=opt/com.coreos/config,file=$root/run/fw_cfg-0"* ]]
	[[ $output == *"name=opt/org.example/b,file=$root/run/fw_cfg-1"* ]]
	[[ $output == *"name=opt/io.systemd.credentials/passwd.hashed-password.root,file="* ]]
	[[ $output == *'type=11,value=io.systemd.credential:told=to all,, and all'* ]]
	cmp "$root/run/fw_cfg-0" "$bundle/a.ign"
	[[ $(<"$root/run/fw_cfg-1") == hidden-2 ]]
	[[ $(stat -c %a "$root"/run/fw_cfg-* | sort -u) == 600 ]]
	kill -QUIT "$pid"
	finish
}

@test "validate and xml read the files, and write nothing" {
	config "$(order wait)" "$(annotate cloud-init.user-data ./user-data)"
	run -78 "$ocivirt" validate --bundle "$bundle" --root "$root"
	[[ $output == *'cloud-init.user-data"]: cannot open '"$bundle/user-data: No such file or directory"* ]]
	echo 'users: [default]' >"$bundle/user-data"
	run -0 "$ocivirt" validate --bundle "$bundle" --root "$root"
	[[ $output == *'warning: '*'cloud-init passes over user-data that does not begin with'* ]]
	run -0 --separate-stderr "$ocivirt" xml --bundle "$bundle" --root "$root"
	[[ $output == *"$root/run/seed.iso"* ]]
	[[ -z $(ls -A "$root") ]]
}

@test "no room for cloud-init's disk is said" {
	config "$(order wait)" "$(annotate cloud-init.user-data '#cloud-config')"
	full=$(mktemp -d "$BATS_TEST_TMPDIR/full.XXXXXX")
	mount -t tmpfs -o size=400k none "$full"
	run "$ocivirt" run --bundle "$bundle" --root "$full/r"
	umount "$full"
	[[ $status -eq 69 ]]
	[[ $output == *'No space left on device'* || $output == *'there is no space left'* ]]
}
