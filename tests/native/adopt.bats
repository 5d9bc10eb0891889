#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A VM whose whole ocivirt has died: the next one goes on with it, and whoever talks to it meanwhile is told.

load helpers
load lost
setup() { common_setup; }
teardown() { common_teardown; }

# A VM that counts, and whose ocivirt has been killed; its QEMU is $qemu.
leave_vm_alone() {
	config "$(order count)"
	start --id vm
	wait_for '^guest: count 3'
	qemu=$(qemu_pid)
	kill_all
}

@test "a VM whose ocivirt was killed goes on with the next one" {
	config "$(order count)"
	start
	wait_for '^guest: count 3'
	local qemu
	qemu=$(qemu_pid)
	kill_all
	run -75 "$ocivirt" run --bundle "$bundle" --root "$root" --id another
	[[ $output == *"still runs in $root (QEMU has pid $qemu)"*"--id vm"* ]]
	start --id vm
	wait_for '^guest: count'
	[[ $(qemu_pid) == "$qemu" ]]
	has 'this one goes on with it' "$err"
	has_not 'guest: ready'
	lose_engine KILL
	kill -TERM "$pid"
	finish
	expect_status 0
	has 'guest: power button'
	expect_nothing_left
}

@test "a VM is left alone by an ocivirt that cannot go on with it, and knows whose it is" {
	local qemu
	leave_vm_alone
	# An address that nobody has here (RFC 5737).
	run -69 env OCIVIRT_HTTP=203.0.113.1:80 "$ocivirt" run --bundle "$bundle" --root "$root" --id vm
	[[ $output == *"203.0.113.1"* && $output == *"runs on without an ocivirt (QEMU has pid $qemu)"* ]]
	start --id vm
	wait_for '^guest: count'
	[[ $(qemu_pid) == "$qemu" ]]
	wait_for 'VM is taken over' "$err"
	run -75 "$ocivirt" run --bundle "$bundle" --root "$root" --id vm
	[[ $output == *"pid $pid"* && $output != *"what is left"* ]]
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "a VM is left alone by an ocivirt that has not what libvirt needs" {
	local qemu
	leave_vm_alone
	run -69 setpriv --bounding-set -setpcap "$ocivirt" run --bundle "$bundle" --root "$root" --id vm
	[[ $output == *"CAP_SETPCAP"* ]]
	run -70 env LIBVIRT_DRIVER_DIR=/nonexistent "$ocivirt" run --bundle "$bundle" --root "$root" --id vm
	[[ $output == *"cannot take the VM over: cannot open libvirt's embedded QEMU driver"* ]]
	[[ $output == *"another engine process tries to take it over"* ]]
	[[ $output == *"the VM is left as it was found. None could take the VM over"* ]]
	[[ $output == *"runs on without an ocivirt (QEMU has pid $qemu)"* ]]
	start --id vm
	wait_for '^guest: count'
	[[ $(qemu_pid) == "$qemu" ]]
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "a paused VM whose ocivirt was killed is paused still, and can be resumed" {
	config "$(order count)"
	start --id vm
	wait_for '^guest: count 3'
	"$ocivirt" pause --root "$root"
	kill_all
	start --id vm
	wait_for 'the guest is paused, as it was found' "$err"
	[[ $("$ocivirt" state --root "$root" | jq -r .vm.lifecycle) == paused ]]
	sleep 1
	has_not '^guest: count'
	lose_engine KILL
	[[ $("$ocivirt" state --root "$root" | jq -r .vm.lifecycle) == paused ]]
	"$ocivirt" resume --root "$root"
	wait_for '^guest: count'
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "a stop that comes while a paused VM is adopted is obeyed" {
	config "$(order count)" "$(annotate stop-timeout 60s)"
	start --id vm
	wait_for '^guest: count 3'
	"$ocivirt" pause --root "$root"
	local qemu
	qemu=$(qemu_pid)
	kill_all
	kill -STOP "$qemu"
	start --id vm
	wait_for 'this one goes on with it' "$err"
	wait_for_state running
	kill -TERM "$pid"
	wait_for 'asking the guest to power off' "$err"
	kill -CONT "$qemu"
	finish
	expect_status 0
}

@test "an adopted VM ends as any other: by itself, by a panic, by force" {
	local word
	for word in poweroff panic force; do
		config "$(order wait)" 'del(.hostname)'
		start --id vm
		wait_for '^guest: ready'
		kill_all
		start_with_input
		wait_for 'VM is taken over' "$err"
		if [[ $word == force ]]; then
			kill -QUIT "$pid"
		else
			echo "order $word" >&"$input"
		fi
		finish
		exec {input}>&-
		case $word in
		poweroff) expect_status 0 ;;
		panic) expect_status 134 ;;
		force) expect_status 137 ;;
		esac
		run ! pgrep -f -- "$root"
	done
}

@test "a guest that powers off while there is no ocivirt has done so, and what it reported counts" {
	config "$(order report,7)" "$(order later,poweroff)"
	start --id vm
	wait_for '^guest: later'
	kill_all
	sleep 5
	start --id vm
	finish
	expect_status 7
	has 'this one goes on with it' "$err"
	has 'the guest powered off and reported exit status 7' "$err"
	expect_nothing_left
}

@test "a reboot that is under way goes on, though the guest powers off for it while there is no ocivirt" {
	config "$(order wait)"
	start --id vm
	wait_for '^guest: listening'
	kill -$(($(kill -l RTMIN) + 5)) "$pid"
	wait_for '^guest: power button'
	kill_all
	sleep 5
	start --id vm
	wait_for '^guest: listening'
	has 'this one goes on with it' "$err"
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "an adopted VM is ended in order when engines go on dying" {
	config "$(order wait)"
	start --id vm
	wait_for '^guest: ready'
	kill_all
	start --id vm
	wait_for 'VM is taken over' "$err"
	for _ in {1..4}; do lose_engine KILL; done
	kill -KILL "$(engine_pid)"
	finish
	expect_status 70
	run ! pgrep -f -- "$root"
}

@test "who talks to a VM that is left without its ocivirt is told so, and not that it has ended" {
	config "$(order ignore)" "$(order count)"
	start --id vm
	wait_for '^guest: count'
	local qemu command clients=() client result
	qemu=$(qemu_pid)
	for command in wait events console 'stop --timeout 1h'; do
		# shellcheck disable=SC2086 # words
		"$ocivirt" $command --root "$root" </dev/null >"$BATS_TEST_TMPDIR/heard.${command%% *}" \
			2>"$BATS_TEST_TMPDIR/told.${command%% *}" 3>&- &
		clients+=("${command%% *}:$!")
	done
	# Each is being served.
	wait_for '^guest: count' "$BATS_TEST_TMPDIR/heard.console"
	wait_for lifecycle "$BATS_TEST_TMPDIR/heard.events"
	wait_for 'asking the guest to power off' "$err"
	until (($(ss -xH state established | grep -cF "$root/control.sock") >= 4)); do sleep 0.1; done
	kill_all
	for client in "${clients[@]}"; do
		result=0
		wait "${client#*:}" || result=$?
		echo "${client%:*}: $result, $(<"$BATS_TEST_TMPDIR/told.${client%:*}")"
		[[ $result -eq 69 ]]
		has "the VM vm runs on without an ocivirt .QEMU has pid $qemu.; start it again" "$BATS_TEST_TMPDIR/told.${client%:*}"
	done
	kill -KILL "$qemu"
	while kill -0 "$qemu" 2>/dev/null; do sleep 0.05; done
}

@test "who waits for a VM whose ocivirt is killed, and started again at once, waits on" {
	config "$(order count)"
	start --id vm
	wait_for '^guest: count 3'
	"$ocivirt" wait --root "$root" >"$BATS_TEST_TMPDIR/waited" 3>&- &
	local waiter=$!
	until ss -xH | grep -qF "$root/control.sock"; do sleep 0.1; done
	kill_all
	start --id vm
	wait_for '^guest: count'
	kill -QUIT "$pid"
	finish
	wait "$waiter"
	[[ $(<"$BATS_TEST_TMPDIR/waited") == 137 ]]
}

@test "a stop that waits for a VM whose ocivirt is killed, and started again at once, stops it" {
	config "$(order ignore)"
	start --id vm
	wait_for '^guest: ready'
	"$ocivirt" stop --timeout 3s --root "$root" 3>&- &
	local stopping=$!
	wait_for 'asking the guest to power off' "$err"
	kill_all
	start --id vm
	wait "$stopping"
	finish
	expect_status 137
}
