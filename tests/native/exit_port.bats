#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The exit status that the guest reports.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

# typing [OPTION...]: ocivirt in the background, with descriptor 4 as its standard input.
typing() {
	: >"$out"
	mkfifo "$BATS_TEST_TMPDIR/in"
	"$ocivirt" run --bundle "$bundle" --root "$root" "$@" >"$out" 2>"$err" <"$BATS_TEST_TMPDIR/in" 3>&- &
	pid=$!
	exec 4>"$BATS_TEST_TMPDIR/in"
}

@test "what the guest reports is the exit status, though it powers off in the same moment" {
	config "$(order exit,7)"
	start
	finish
	expect_status 7
	has 'the guest powered off and reported exit status 7' "$err"
	# For a status of 0 there is nothing to complain of.
	config "$(order exit,0)"
	start -q
	finish
	expect_status 0
	[[ ! -s $err ]]
}

@test "the last status counts, and what is none is passed over with a warning" {
	config "$(order report,12)" "$(order report,256)" "$(order report,255)" "$(order report,-1)" \
		"$(order poweroff)"
	start
	finish
	expect_status 255
	has 'written "-1" to org.ocivirt.exit, which is no number from 0 to 255' "$err"
}

@test "without a number the exit status is 0, and the warning shows what there was" {
	config "$(order report,fine,thanks)" "$(order poweroff)"
	start
	finish
	expect_status 0
	has 'written "fine,thanks" to org.ocivirt.exit' "$err"
	has 'the guest powered off$' "$err"
}

@test "a guest that floods the port hinders nobody: it counts CPUs, obeys the button, and ends" {
	config "$(order report-flood,9)" "$(order count)" "$(annotate stop-timeout 40s)"
	start
	wait_for '^guest: listening'
	wait_for '^guest: count 20'
	local asked
	asked=$(now_ms)
	kill -TERM "$pid"
	finish
	expect_status 9
	at_most 30000 "$asked"
	has 'more to org.ocivirt.exit than the [0-9]+ bytes' "$err"
	has '^guest: powering off'
}

@test "it is reported after a stop signal as well" {
	config "$(order report,3)" "$(order wait)"
	start
	wait_for '^guest: listening'
	wait_for '^guest: ready'
	kill -TERM "$pid"
	finish
	expect_status 3
}

@test "a panic, and a forced end, keep their own statuses" {
	config "$(order report,3)" "$(order panic)"
	start
	finish
	expect_status 134
	config "$(order report,3)" "$(order wait)"
	start
	wait_for '^guest: ready'
	kill -QUIT "$pid"
	finish
	expect_status 137
}

@test "what was reported before a reboot counts" {
	config "$(order wait)"
	typing
	wait_for '^guest: ready'
	echo 'order report 5' >&4
	echo 'order reboot' >&4
	wait_for '^guest: boot 2'
	local deadline=$((SECONDS + PATIENCE))
	until [[ $(grep -c '^guest: ready' "$out") -eq 2 ]]; do
		((SECONDS < deadline))
		sleep 0.1
	done
	echo 'order poweroff' >&4
	finish
	exec 4>&-
	expect_status 5
}

@test "the status of the shell that is left is the exit status" {
	config
	typing
	wait_for 'vm:[^ ]*# '
	echo 'exit 42' >&4
	finish
	exec 4>&-
	expect_status 42
}
