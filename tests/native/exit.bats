#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Exit statuses, and what is left when something dies that should not.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

@test "a panic is status 134" {
	config "$(order panic)"
	start
	finish
	expect_status 134
	has 'the guest crashed' "$err"
}

@test "QEMU that dies of SIGSEGV is status 139" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	kill -SEGV "$(qemu_pid)"
	finish
	expect_status 139
	has 'QEMU died of signal 11' "$err"
}

@test "QEMU that is killed by somebody else is status 137, and the OOM killer is named" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	kill -KILL "$(qemu_pid)"
	finish
	expect_status 137
	has 'OOM killer' "$err"
}

@test "QEMU that is asked to end by somebody else is status 143" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	kill -TERM "$(qemu_pid)"
	finish
	expect_status 143
}

@test "a reboot restarts the guest, or ends it with on-reboot=exit" {
	config "$(order reboot)"
	start
	finish
	expect_status 0
	has '^guest: boot 2'
	config "$(order reboot)" "$(annotate on-reboot exit)"
	start
	finish
	expect_status 0
	has '^guest: rebooting'
	has_not '^guest: boot 2'
}

@test "a reset ends a guest that is not to be started again: status 0" {
	config "$(order wait)" "$(annotate on-reboot exit)"
	start
	wait_for '^guest: ready'
	kill -$(($(kill -l RTMIN) + 15)) "$pid"
	finish
	expect_status 0
	has_not '^guest: powering off'
}

@test "no emulator is status 69, with a remedy" {
	config '.vm.hypervisor = {path: "/nonexistent/qemu"}'
	start
	finish
	expect_status 69
	has '/nonexistent/qemu.*No such file' "$err"
	config
	PATH=/nonexistent run -69 "$ocivirt" run --bundle "$bundle" --root "$root"
	[[ $output == *"install QEMU"* ]]
}

@test "accel=kvm without KVM is status 69, with the reason" {
	config "$(annotate accel kvm)" "$(order poweroff)"
	start
	finish
	if [[ $status -ne 0 ]]; then
		expect_status 69
		has 'accel asks for KVM.*/dev/kvm' "$err"
	fi
}

@test "a second instance on one root is status 75, and names the first" {
	config "$(order wait)"
	start
	wait_for 'guest running after' "$err"
	run -75 "$ocivirt" run --bundle "$bundle" --root "$root"
	[[ $output == *"in use by ocivirt with pid $pid"* ]]
	kill -QUIT "$pid"
	finish
}

@test "wrong usage is status 64" {
	run -64 "$ocivirt" fly
	[[ $output == *'no command "fly"'* ]]
	run -64 "$ocivirt" run --bundel x
	[[ $output == *--bundel* ]]
	run -64 "$ocivirt" run --bundle a --config b
	run -64 "$ocivirt" run --log-format yaml
	run -64 "$ocivirt" validate extra
	config
	run -64 "$ocivirt" run --bundle "$bundle" --root "/tmp/$(printf '%0100d' 0)"
	[[ $output == *characters* ]]
}

@test "--help and --version" {
	run -0 "$ocivirt" --help
	[[ $output == *"Commands:"* ]]
	run -0 "$ocivirt" --version
	[[ $output == "ocivirt "* ]]
	for command in run validate xml prime; do
		run -0 "$ocivirt" $command --help
		[[ $output == *--root* ]]
	done
}

@test "what QEMU does not know is status 78 or 70, with QEMU's words" {
	config '.vm.hypervisor = {path: "/usr/bin/qemu-system-x86_64", parameters: ["-no-such-option"]}'
	start
	finish
	expect_status 70
	has 'no-such-option' "$err"
	config "$(annotate machine no-such-machine)"
	start
	finish
	expect_status 78
	has 'no-such-machine' "$err"
	run ! pgrep -f -- "$root"
}

@test "when the supervisor is killed the guest is still stopped in order" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	kill -KILL "$pid"
	wait "$pid" || true
	pid= # the engine has more to say
	wait_for '^guest: power button'
	for _ in {1..100}; do
		pgrep -f -- "$root" >/dev/null || break
		sleep 0.1
	done
	run ! pgrep -f -- "$root"
	# And the next start works.
	config "$(order poweroff)"
	start
	finish
	expect_status 0
}

@test "after a run the root directory has cache, disks and logs, and no more" {
	config "$(order poweroff)"
	start
	finish
	expect_status 0
	[[ $(cd "$root" && echo *) == "cache disks log" ]]
}
