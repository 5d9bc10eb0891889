#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The guest agent: agent.c asks it, in a guest that has one.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

@test "the guest agent: ping, commands, addresses, freezing, and its end" {
	cat "$guest/initrd.img" "$guest/agent.img" >"$BATS_TEST_TMPDIR/initrd.img"
	mke2fs -q -t ext4 "$BATS_TEST_TMPDIR/disk" 8M
	status=0
	"$project/${BUILD:-build}/tests/native/agent" --tap "$root" "$guest/vmlinux" "$BATS_TEST_TMPDIR/initrd.img" \
		"$BATS_TEST_TMPDIR/disk" >"$out" 2>"$err" </dev/null 3>&- || status=$?
	if [[ $status -ne 0 ]]; then
		cat "$out" "$err"
		return 1
	fi
	[[ $(grep -c '^ok ' "$out") -eq $(sed -n 's/^1\.\.//p' "$out") ]]
}
