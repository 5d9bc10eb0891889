#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# An engine that dies: the guest goes on with the next one, or ends in order, and nothing is left behind.

load helpers
load lost
setup() { common_setup; }
teardown() { common_teardown; }

# Whatever ocivirt believes: QEMU's processor stands still.
guest_stands_still() {
	local before after
	before=$(qemu_ticks)
	sleep 1
	after=$(qemu_ticks)
	echo "ticks: $before, $after"
	((after - before <= 5))
}

# Processor time of QEMU, in hundredths of a second.
qemu_ticks() {
	awk '{ print $14 + $15 }' "/proc/$(qemu_pid)/stat"
}

# slow_qemu [SECONDS]: one that takes 3 s to begin with the VM, and what happens meanwhile happens while it is made.
slow_qemu() {
	cat >"$BATS_TEST_TMPDIR/qemu" <<-END
		#!/usr/bin/python3
		import os, sys, time
		if "-name" in sys.argv:
		    time.sleep(${1:-3})
		os.execvp("qemu-system-$(uname -m)", sys.argv)
	END
	chmod 755 "$BATS_TEST_TMPDIR/qemu"
	echo ".vm.hypervisor = {path: \"$BATS_TEST_TMPDIR/qemu\"}"
}

# until_qemu_begins: the VM is being made, and nobody but libvirt knows its QEMU, $stray.
until_qemu_begins() {
	local deadline=$((SECONDS + PATIENCE))
	until stray=$(pgrep -f -- "-name guest=.*$root/lib/"); do
		((SECONDS < deadline))
		sleep 0.02
	done
}

@test "an engine that dies or hangs is followed by another; the guest does not notice" {
	config "$(order count)"
	start
	wait_for '^guest: count 3'
	local qemu
	qemu=$(qemu_pid)
	for signal in KILL SEGV STOP ABRT; do
		lose_engine $signal
	done
	has 'engine process died of signal 9 .Killed.; another one takes over' "$err"
	has 'engine process did not answer any more and was killed; another one takes over' "$err"
	[[ $(qemu_pid) == "$qemu" ]]
	local last
	last=$(grep -ac '^guest: count' "$out")
	wait_for "^guest: count $((last + 10))"
	kill -TERM "$pid"
	finish
	expect_status 0
	has 'guest: power button'
	expect_no_gap
}

@test "what the guest is told while there is no engine is done by the next" {
	config "$(order count)" "$(annotate stop-timeout 60s)"
	start
	wait_for '^guest: count 3'
	kill -KILL "$(engine_pid)"
	kill -TERM "$pid"
	finish
	expect_status 0
	has 'guest: power button'
	expect_no_gap
}

@test "a stop that is under way goes on, with its deadline" {
	config "$(order ignore)" "$(annotate stop-timeout 20s)"
	start
	wait_for '^guest: ready'
	local since
	since=$(now_ms)
	kill -TERM "$pid"
	wait_for '^guest: power button'
	sleep 6 # which a deadline that began anew would be late by
	lose_engine KILL
	finish
	expect_status 137
	has 'did not power off within its stop-timeout' "$err"
	at_least 19900 "$since"
	[[ ${VALGRIND-} ]] || at_most 25500 "$since"
}

@test "a guest that is paused stays paused, and can be resumed" {
	config "$(order count)"
	start
	wait_for '^guest: count 3'
	kill -TSTP "$pid"
	sleep 1
	local before
	before=$(grep -ac '^guest: count' "$out")
	lose_engine KILL
	sleep 1
	[[ $(grep -ac '^guest: count' "$out") -eq $before ]]
	kill -CONT "$pid"
	wait_for "^guest: count $((before + 5))"
	kill -TERM "$pid"
	finish
	expect_status 0
	expect_no_gap
}

@test "what happens while there is no engine is known to the next: power-off, panic, QEMU's end" {
	local word
	for word in poweroff panic kill; do
		config "$(order wait)"
		start_with_input
		wait_for '^guest: ready'
		[[ $word == kill ]] || echo "order later $word" >&"$input"
		[[ $word == kill ]] || wait_for '^guest: later'
		kill -STOP "$(engine_pid)"
		[[ $word != kill ]] || kill -KILL "$(qemu_pid)"
		finish
		has 'did not answer any more and was killed' "$err"
		exec {input}>&-
		case $word in
		poweroff) expect_status 0 ;;
		panic) expect_status 134 ;;
		kill) expect_status 137 ;;
		esac
	done
}

@test "before the guest runs an engine that dies is followed by a new start" {
	config "$(order poweroff)"
	local delay
	for delay in 0.02 0.05 0.1 0.2 0.4; do
		start
		sleep $delay
		kill -KILL "$(engine_pid)" || true
		finish
		expect_status 0
		[[ $(grep -ac '^guest: ready' "$out") -le 1 ]]
	done
}

@test "a stop is obeyed, though the engine dies over it before there is a VM" {
	config "$(slow_qemu)" "$(order wait)"
	start -v
	until_qemu_begins
	kill -TERM "$pid"
	wait_for 'aborting' "$err"
	kill -KILL "$(engine_pid)"
	finish
	expect_status 0
	run ! pgrep -f -- "$root"
}

@test "what the guest reports counts, though the start was begun anew, and an engine was lost since" {
	config "$(slow_qemu)" "$(order wait)"
	start_with_input
	until_qemu_begins
	kill -KILL "$(engine_pid)"
	wait_for '^guest: ready'
	lose_engine KILL
	echo 'order exit 7' >&"$input"
	finish
	exec {input}>&-
	expect_status 7
}

@test "a QEMU of which nobody knows yet is ended: by the next ocivirt, or by an engine without one" {
	# It does not end by itself for want of its files; and whoever runs the hook removes them first.
	config "$(slow_qemu 300)" "$(annotate stop-timeout 1s)" "$(order wait)" '.hooks.poststop = [{path: "/bin/true"}]'
	start
	until_qemu_begins
	kill_all
	kill -0 "$stray"
	local lost=$stray
	start
	wait_for "a QEMU .pid $lost. that was being started when its ocivirt died is ended" "$err"
	run ! grep -q . "/proc/$lost/cmdline" # who has ended and is still to be reaped has none

	until_qemu_begins
	kill -KILL "$pid"
	wait "$pid" || true
	pid=
	local deadline=$((SECONDS + PATIENCE))
	while pgrep -f -- "$root" >/dev/null; do
		((SECONDS < deadline))
		sleep 0.1
	done
	run ! grep -q . "/proc/$stray/cmdline"
}

@test "five engines lost within a minute are enough: status 70, the guest is ended, nothing is left" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	for _ in {1..4}; do lose_engine KILL; done
	kill -KILL "$(engine_pid)"
	finish
	expect_status 70
	has '5 engine processes have died, the last one of signal 9' "$err"
	expect_nothing_left
}

@test "a stop of a paused guest goes on when the engine dies over it" {
	config "$(order count)" "$(annotate stop-timeout 60s)"
	start
	wait_for '^guest: count 3'
	"$ocivirt" pause --root "$root"
	# The stop is decided, and libvirt has not resumed it.
	kill -STOP "$(qemu_pid)"
	kill -TERM "$pid"
	wait_for 'asking the guest to power off' "$err"
	kill -KILL "$(engine_pid)"
	kill -CONT "$(qemu_pid)"
	finish
	expect_status 0
}

@test "a QEMU that hangs for long while it is taken over is waited for" {
	config "$(order count)"
	start
	wait_for '^guest: count 3'
	local qemu
	qemu=$(qemu_pid)
	kill -STOP "$qemu"
	kill -KILL "$(engine_pid)"
	sleep 40 # libvirt waits for 30 s
	kill -CONT "$qemu"
	wait_for 'the VM is taken over' "$err"
	kill -TERM "$pid"
	finish
	expect_status 0
	expect_no_gap
}

@test "a network namespace whose name is gone is the next engine's all the same" {
	local name=ocivirt-test-$BASHPID
	ip netns add "$name"
	config "$(order count)" ".linux.namespaces = [{type: \"network\", path: \"/run/netns/$name\"}]"
	start
	wait_for '^guest: count 3'
	ip netns delete "$name"
	lose_engine KILL
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "what is asked of a VM that has ended while there was no engine ends no engine" {
	local request
	for request in stats 'exec -- true'; do
		config "$(order wait)"
		start
		wait_for '^guest: ready'
		kill -STOP "$(engine_pid)"
		# shellcheck disable=SC2086 # words
		"$ocivirt" ${request%% *} --root "$root" ${request#"${request%% *}"} >/dev/null 2>&1 3>&- &
		kill -TERM "$(qemu_pid)"
		finish
		wait $! || true
		has_not 'died of signal' "$err"
	done
}

# The guest powers off for a reboot, and its engine, $engine, is halted and does not know.
be_off_for_a_reboot() {
	type_to_guest
	config "$(order ignore)"
	start
	wait_for '^guest: ready'
	engine=$(engine_pid)
	in_guest '(until [ -e /run/pressed ]; do sleep 0.1; done; sleep 2; order poweroff) >/dev/null 2>&1 &'
	kill -$(($(kill -l RTMIN) + 5)) "$pid"
	wait_for '^guest: power button'
	kill -STOP "$engine"
	sleep 4 # and no longer: it would be missed
}

@test "a guest that is off for a reboot is not started again when it is to be stopped by now" {
	local engine
	be_off_for_a_reboot
	kill -TERM "$pid"
	kill -KILL "$engine"
	finish
	expect_status 0
	[[ $(grep -c '^guest: boot' "$out") -eq 1 ]]
	expect_nothing_left
}

@test "a guest that is off for a reboot is paused when it has been reset" {
	local engine
	be_off_for_a_reboot
	kill -TSTP "$pid"
	kill -KILL "$engine"
	wait_for 'the guest rebooted' "$err"
	sleep 1
	[[ $("$ocivirt" state --root "$root" | jq -r .vm.lifecycle) == paused ]]
	guest_stands_still
	kill -CONT "$pid"
	wait_for '^guest: boot 2'
	kill -QUIT "$pid"
	finish
	expect_status 137
}

@test "a guest that was asked to reboot and has not is paused still, and not reset, in the next engine" {
	config "$(order ignore)" "$(order count)"
	start
	wait_for '^guest: count 2'
	kill -$(($(kill -l RTMIN) + 5)) "$pid"
	wait_for '^guest: power button'
	kill -TSTP "$pid"
	wait_for_state paused
	lose_engine KILL
	has 'asked to reboot, and was paused before it had' "$err"
	local counted
	counted=$(grep -c '^guest: count' "$out")
	guest_stands_still
	[[ $(grep -c '^guest: count' "$out") -eq $counted ]]
	kill -CONT "$pid"
	wait_for "^guest: count $((counted + 20))"
	[[ $(grep -c '^guest: boot' "$out") -eq 1 ]]
	expect_no_gap
	kill -QUIT "$pid"
	finish
	expect_status 137
}

@test "a stop's time counts from the signal, though it came while the engine hung" {
	config "$(order ignore)" "$(annotate stop-timeout 60s)"
	start
	wait_for '^guest: ready'
	kill -STOP "$(engine_pid)"
	kill -TERM "$pid"
	wait_for 'asking the guest to power off' "$err"
	[[ $(grep -m 1 'asking the guest' "$err") == *'it has '[345][0-9].* ]]
	kill -QUIT "$pid"
	finish
	expect_status 137
}

@test "who talks to the VM is answered by the next engine, and waits on" {
	config "$(order count)"
	start
	wait_for '^guest: count 3'
	"$ocivirt" wait --root "$root" >"$BATS_TEST_TMPDIR/waited" 3>&- &
	local waiter=$! since
	"$ocivirt" events --root "$root" >"$BATS_TEST_TMPDIR/events" 2>/dev/null 3>&- &
	wait_for . "$BATS_TEST_TMPDIR/events"
	# Nobody answers while the engine hangs; whoever asks then gets the next one's answer.
	kill -STOP "$(engine_pid)"
	run -0 curl -s --unix-socket "$root/control.sock" http://localhost/v1/state
	[[ $(jq -r '.status, .vm.lifecycle' <<<"$output" | paste -sd' ') == "running running" ]]
	wait_for 'VM is taken over' "$err"
	run -0 "$ocivirt" stats --root "$root" --format json
	run -0 "$ocivirt" pause --root "$root"
	lose_engine KILL
	[[ $("$ocivirt" state --root "$root" | jq -r .vm.lifecycle) == paused ]]
	run -0 "$ocivirt" resume --root "$root"
	since=$(now_ms)
	"$ocivirt" stop --root "$root" --timeout 30s
	finish
	expect_status 0
	wait "$waiter"
	[[ $(<"$BATS_TEST_TMPDIR/waited") == 0 ]]
	expect_no_gap
	at_most 30000 "$since"
}

@test "a console goes on with the next engine, and after it was cut off for being slow, to the VM's end" {
	config "$(order wait)"
	type_to_guest
	start
	wait_for '^guest: ready'
	local seen=$BATS_TEST_TMPDIR/seen said=$BATS_TEST_TMPDIR/said keys=$BATS_TEST_TMPDIR/keys console
	mkfifo "$keys"
	exec 5<>"$keys"
	"$ocivirt" console --root "$root" <"$keys" >"$seen" 2>"$said" 3>&- 5<&- &
	console=$!
	echo "order run 'echo guest: attached'" >&5
	wait_for '^guest: run: guest: attached' "$seen"
	lose_engine KILL
	wait_for 'the connection to the guest.s console was lost, and is there again' "$said"
	# Both ways.
	echo 'order count' >&5
	wait_for '^guest: count 3' "$seen"
	# The server keeps 1 MiB, and a socket some more.
	kill -STOP "$console"
	echo 'order flood' >&9
	local deadline=$((SECONDS + PATIENCE)) size
	until (($(stat -c %s "$out") > 2000000)); do
		((SECONDS < deadline))
		sleep 0.1
	done
	kill -CONT "$console"
	until (($(grep -c 'is there again' "$said") >= 2)); do
		((SECONDS < deadline))
		sleep 0.1
	done
	size=$(stat -c %s "$seen")
	until (($(stat -c %s "$seen") > size + 10000)); do
		((SECONDS < deadline))
		sleep 0.1
	done
	"$ocivirt" kill --root "$root"
	finish
	wait "$console"
	exec 5>&-
	has_not 'error' "$said"
}
