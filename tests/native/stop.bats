#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The signals, and the ladder that a stop signal climbs.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

rtmin() {
	echo $(($(kill -l RTMIN) + $1))
}

@test "a guest that listens powers off on SIGTERM: status 0" {
	config "$(order wait)" "$kernel_messages"
	start
	wait_for '^guest: listening'
	kill -TERM "$pid"
	wait_for 'reboot: Power down'
	local gone
	gone=$(now_ms)
	finish
	expect_status 0
	at_most 10000 "$gone" # libvirt alone would wait for 40 s
	has '^guest: power button'
}

@test "INT, HUP, PWR, RTMIN+3 and RTMIN+4 stop as TERM does" {
	config "$(order wait)"
	for signal in INT HUP PWR "$(rtmin 3)" "$(rtmin 4)"; do
		start
		wait_for '^guest: listening'
		kill -"$signal" "$pid"
		finish
		expect_status 0
		has '^guest: power button'
	done
}

@test "a guest that ignores the button is ended at stop-timeout: status 137, and the log names the rung" {
	config "$(order ignore)" "$(annotate stop-timeout 8s)"
	start
	wait_for '^guest: ready'
	local asked
	asked=$(now_ms)
	kill -TERM "$pid"
	finish
	expect_status 137
	at_most 20000 "$asked"
	at_least 7900 "$asked"
	has 'did not power off within its stop-timeout and was ended: QEMU got SIGTERM' "$err"
	# Asked at once, and again every second.
	[[ $(grep -c '^guest: power button' "$out") -ge 2 ]]
}

@test "SIGCONT behind the stop, as timeout(1) sends it, is no fault" {
	config "$(order wait)"
	start
	wait_for '^guest: listening'
	kill -TERM "$pid"
	kill -CONT "$pid"
	finish
	expect_status 0
	has '^guest: power button'
	has_not 'warning' "$err"
}

# expect_force: a signal to stop that is the second one ends the VM at once.
expect_force() {
	sleep 0.2 # two that come together are one
	local asked
	asked=$(now_ms)
	kill -TERM "$pid"
	finish
	expect_status 137
	at_most 20000 "$asked"
}

@test "a second stop signal ends it at once: status 137" {
	config "$(order ignore)" "$(annotate stop-timeout 60s)"
	start
	wait_for '^guest: ready'
	kill -TERM "$pid"
	wait_for '^guest: power button'
	expect_force
	has 'ended at once, as asked' "$err"
}

@test "a stop signal after a stop for another reason is the first, and forces nothing" {
	config "$(order ignore)" "$(annotate stop-timeout 4s)"
	start
	wait_for '^guest: ready'
	curl -s --unix-socket "$root/control.sock" -X POST 'http://localhost/v1/stop?timeout=1h'
	wait_for '^guest: power button'
	kill -TERM "$pid"
	sleep 1
	kill -0 "$pid"
	has_not 'SIGTERM to QEMU' "$err"
	# But an hour is not what whoever sends a signal waits for.
	finish
	expect_status 137
	has 'did not power off within its stop-timeout' "$err"
}

@test "a second stop signal after that forces" {
	config "$(order ignore)" "$(annotate stop-timeout 60s)"
	start
	wait_for '^guest: ready'
	"$ocivirt" stop --root "$root" 3>&- &
	wait_for '^guest: power button'
	kill -TERM "$pid"
	expect_force
}

@test "QUIT, RTMIN+13 and RTMIN+14 end it at once: status 137" {
	config "$(order wait)"
	for signal in QUIT "$(rtmin 13)" "$(rtmin 14)"; do
		start
		wait_for '^guest: ready'
		kill -"$signal" "$pid"
		finish
		expect_status 137
		has_not '^guest: power button'
	done
}

@test "QEMU that ignores SIGTERM gets SIGKILL half a second later" {
	config "$(order ignore)"
	start
	wait_for '^guest: ready'
	kill -STOP "$(qemu_pid)"
	local asked
	asked=$(now_ms)
	kill -QUIT "$pid"
	finish
	expect_status 137
	at_least 500 "$asked"
	at_most 10000 "$asked" # the next rung would be 30 s later
	has 'SIGKILL, since SIGTERM did not help' "$err"
}

@test "a stop signal during the start ends it cleanly" {
	config "$(order wait)" "$(annotate stop-timeout 1s)"
	# From before the first line of main() to a guest in its first second.
	for delay in 0 0.01 0.03 0.06 0.1 0.15 0.3; do
		start
		sleep $delay
		kill -TERM "$pid"
		finish
		# Before it ran: 0. Afterwards it may have heard the button, or have been ended.
		[[ $status -eq 0 || $status -eq 137 || $status -eq 143 ]]
		# The very first moments are the shell's own, which dies of SIGTERM.
		[[ $status -ne 143 || ! -s $err ]]
		run ! pgrep -f -- "$root"
		[[ ! -e $root/instance.json ]]
	done
}

@test "a stop signal during firmware or early kernel is heard as soon as the guest can" {
	config "$(order wait)" "$(annotate stop-timeout 40s)"
	start
	wait_for 'guest running after' "$err"
	kill -TERM "$pid"
	finish
	expect_status 0
	has '^guest: power button'
}

@test "two stop signals before the guest runs: status 137 or 0, nothing left" {
	config "$(order wait)"
	start
	until [[ -e $root/instance.json ]]; do sleep 0.005; done
	kill -TERM "$pid"
	kill -TERM "$pid"
	finish
	[[ $status -eq 0 || $status -eq 137 ]]
	run ! pgrep -f -- "$root"
}

@test "TSTP pauses the guest and CONT resumes it" {
	config "$(order count)"
	start
	wait_for '^guest: count 5'
	kill -TSTP "$pid"
	local before=0 deadline=$((SECONDS + PATIENCE))
	until [[ $(grep -c '^guest: count' "$out") -eq $before ]]; do
		((SECONDS < deadline))
		before=$(grep -c '^guest: count' "$out")
		sleep 1
	done
	sleep 2
	[[ $(grep -c '^guest: count' "$out") -eq $before ]]
	kill -CONT "$pid"
	wait_for "^guest: count $((before + 5))"
	kill -TSTP "$pid"
	sleep 0.5
	# A paused guest is resumed to hear the button.
	kill -TERM "$pid"
	finish
	expect_status 0
	has '^guest: power button'
}

@test "RTMIN+15 resets the guest, RTMIN+5 reboots it" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	kill -"$(rtmin 15)" "$pid"
	wait_for '^guest: boot 2'
	has_not '^guest: power button'
	kill -"$(rtmin 5)" "$pid"
	wait_for '^guest: power button'
	wait_for '^guest: boot 3'
	kill -TERM "$pid"
	finish
	expect_status 0
	[[ $(grep -c '^guest: power button' "$out") -ge 2 ]]
}

@test "USR1 writes a line on the state to the log; WINCH and USR2 do nothing" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	kill -USR1 "$pid"
	kill -WINCH "$pid"
	kill -USR2 "$pid"
	wait_for 'state: running; .*QEMU pid [0-9]+' "$err"
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "stop-method=agent does not press the button" {
	config "$(order wait)" "$(annotate stop-method agent)" "$(annotate stop-timeout 2s)"
	start
	wait_for '^guest: ready'
	kill -TERM "$pid"
	finish
	expect_status 137
	has_not '^guest: power button'
}

@test "one stop that arrives as two signals, as timeout(1) sends it, is one" {
	config "$(order wait)"
	start
	wait_for '^guest: listening'
	kill -TERM "$pid"
	kill -HUP "$pid"
	kill -TERM "$pid"
	finish
	expect_status 0
	has '^guest: power button'
}

@test "pausing and resuming in quick succession leaves the guest running" {
	config "$(order count)"
	start
	wait_for '^guest: count 3'
	for _ in {1..12}; do
		kill -TSTP "$pid"
		sleep 0.01
		kill -CONT "$pid"
		sleep 0.01
	done
	local before
	before=$(grep -c '^guest: count' "$out")
	wait_for "^guest: count $((before + 10))"
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "started by who ignores SIGCHLD, or by nohup, it works; and nohup's SIGHUP is no stop" {
	config "$(order wait)"
	: >"$out"
	(
		trap '' HUP CHLD
		exec "$ocivirt" run --bundle "$bundle" --root "$root" >"$out" 2>"$err" </dev/null 3>&-
	) &
	pid=$!
	wait_for '^guest: ready'
	kill -HUP "$pid"
	sleep 1
	has_not '^guest: power button'
	kill -TERM "$pid"
	finish
	expect_status 0
}
