# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What tests of lost engines, and of a lost ocivirt, share.

# lose_engine SIGNAL: the engine dies of it, or hangs, and another one has taken over.
lose_engine() {
	local lost=$(engine_pid) before
	before=$(grep -c 'the VM is taken over' "$err" || true)
	kill "-$1" "$lost"
	local deadline=$((SECONDS + PATIENCE))
	until (($(grep -c 'the VM is taken over' "$err" || true) > before)); do
		((SECONDS < deadline))
		sleep 0.02
	done
	[[ $(engine_pid) != "$lost" ]]
}

# expect_nothing_left: neither a process nor what goes with the VM.
expect_nothing_left() {
	[[ -z $(pgrep -f -- "$root") ]]
	[[ $(cd "$root" && echo *) == "cache disks log" ]]
}

wait_for_state() {
	local deadline=$((SECONDS + PATIENCE))
	until [[ $("$ocivirt" state --root "$root" | jq -r .vm.lifecycle) == "$1" ]]; do
		((SECONDS < deadline))
		sleep 0.1
	done
}

# The guest's counter: each number once, in order, to the last; but for what an engine had read when it was lost, and not
# written.
expect_no_gap() {
	tr -d '\r' <"$out" | grep -aE '^guest: count [0-9]+$' |
		awk -v most=$((2 * $(grep -c 'another one takes over' "$err" || true))) '
			$3 <= n { print n ", and then " $3; bad = 1 }
			$3 > n + 1 { print "gap: " n " to " $3; missing += $3 - n - 1 }
			{ n = $3 }
			END { exit bad || missing > most || !n }'
}

# start_with_input: as start, and what is written to descriptor $input is the guest's console's.
start_with_input() {
	local pipe=$BATS_TEST_TMPDIR/input
	rm -f "$pipe"
	mkfifo "$pipe"
	exec {input}<>"$pipe"
	: >"$out"
	: >"$err"
	"$ocivirt" run --bundle "$bundle" --root "$root" >"$out" 2>"$err" <"$pipe" 3>&- &
	pid=$!
}
