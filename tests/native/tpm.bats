#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# A TPM for the guest, by swtpm.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

# What QEMU has for a TPM in the guest's memory lies where it puts the initrd of a kernel that needs no firmware.
with_firmware=".vm.kernel.path |= sub(\"vmlinux$\"; \"vmlinuz\")"

@test "the guest has a TPM 2.0, whose state stays; when swtpm dies the guest is stopped" {
	type_to_guest
	config "$(annotate tpm 2.0)" "$(order wait)" "$with_firmware"
	local start
	for start in first second; do
		start
		wait_for '^guest: ready'
		in_guest 'cat /sys/class/tpm/tpm0/tpm_version_major'
		[[ $output == 2 ]]
		[[ -s $root/disks/tpm/tpm2-00.permall ]]
		if [[ $start == first ]]; then
			kill -TERM "$pid"
			finish
			expect_status 0
			[[ -s $root/disks/tpm/tpm2-00.permall ]]
		fi
	done
	kill -KILL "$(jq '.helpers[-1].pid' "$root/instance.json")"
	finish
	expect_status 69
	has "swtpm, the guest's TPM, has ended; the guest cannot do without, and is stopped" "$err"
}

@test "no swtpm: status 69, and what to do" {
	config "$(annotate tpm 2.0)" "$(order poweroff)" "$with_firmware"
	within=(unshare -m sh -c 'mount --bind /dev/null /usr/bin/swtpm; exec "$@"' -)
	start
	finish
	expect_status 69
	has 'swtpm, which the setting tpm asks for, is not in \$PATH; install it' "$err"
}
