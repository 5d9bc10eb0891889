#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that boots by UEFI, whose variables stay where its disks are.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

# uefi_config FILTER...: this firmware starts a kernel as it starts any program, and that says so.
uefi_config() {
	config "$(order poweroff)" "$(annotate firmware uefi)" "$(annotate memory 256M)" "$kernel_messages" \
		".vm.kernel.path = \"$guest/vmlinuz\"" "$@"
}

@test "UEFI boots a kernel, and its variables survive" {
	uefi_config
	start
	finish
	expect_status 0
	has 'efi: EFI v2'
	has '^guest: powering off'
	[[ $(stat -c %a "$root/disks/uefi-vars.fd") == 600 ]]
	# The firmware counts its boots in there (MTC, of a monotonic counter): from the template a second boot would
	# make the same variables as the first.
	cp "$root/disks/uefi-vars.fd" "$BATS_TEST_TMPDIR/first"
	start
	finish
	expect_status 0
	has '^guest: powering off'
	run -1 cmp "$root/disks/uefi-vars.fd" "$BATS_TEST_TMPDIR/first"
}

@test "a plain user's guest boots by UEFI as well" {
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$bundle"
	rmdir "$root"
	local copy
	copy=$(mktemp -d /tmp/ocivirt-test.XXXXXX)
	cp "$ocivirt" "$ocivirt-launch" "$guest/vmlinuz" "$guest/initrd.img" "$copy"
	chmod -R a+rX "$copy"
	uefi_config ".vm.kernel = {path: \"$copy/vmlinuz\", initrd: \"$copy/initrd.img\", parameters: .vm.kernel.parameters}"
	run timeout "$PATIENCE" setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set -all \
		"$copy/ocivirt" run --bundle "$bundle" --root "$root"
	rm -rf "$copy"
	echo "$output"
	[[ $status -eq 0 && $output == *'efi: EFI v2'* && $output == *'guest: powering off'* ]]
}

@test "without a firmware for it the message names the package" {
	uefi_config
	run -69 unshare -m sh -c 'mount -t tmpfs none /usr/share/qemu/firmware && exec "$@"' sh \
		"$ocivirt" run --bundle "$bundle" --root "$root"
	[[ $output == *'there is no UEFI firmware for '*'install it (Debian: '* ]]
}
