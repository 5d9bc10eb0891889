#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A storm of signals: whatever comes, in whatever order, the VM obeys in the end and nothing piles up.
# $SIGNALS=10000 takes a minute for them alone.
# bats file_tags=threads

: "${SIGNALS:=2000}"

setup() {
	source "$BATS_TEST_DIRNAME/helpers.bash"
	common_setup
}

teardown() {
	common_teardown
}

# Anonymous memory of supervisor and engine, in KiB.
memory() {
	local process sum=0
	for process in "$pid" "$(engine_pid)"; do
		sum=$((sum + $(awk '/^RssAnon/ { print $2 }' "/proc/$process/status")))
	done
	echo $sum
}

@test "signals of all kinds in random order, and then a stop" {
	# What pauses, resumes, reboots, resets and reports, and what is ignored. Any stop would be the last one.
	local kinds=(TSTP CONT USR1 WINCH RTMIN+5 RTMIN+15 USR2 ALRM CHLD URG IO PROF VTALRM TTIN TTOU PIPE RTMIN+1 RTMAX) i
	config "$(order wait)" "$(annotate stop-timeout 120s)"
	start
	wait_for '^guest: ready'
	kill -USR1 "$pid"
	wait_for 'state: running' "$err"
	local before
	before=$(memory)
	RANDOM=4711
	for ((i = 0; i < SIGNALS; i++)); do
		kill "-${kinds[RANDOM % ${#kinds[@]}]}" "$pid"
		((i % 170)) || sleep 0.9
	done
	kill -0 "$pid"
	kill -CONT "$pid"
	local deadline=$((SECONDS + PATIENCE))
	# All that was asked for is done by then: requests are in order.
	until grep -q 'state: running' <(tail -n 1 "$err"); do
		((SECONDS < deadline))
		kill -USR1 "$pid"
		sleep 0.5
	done
	echo "# anonymous memory: $before KiB before, $(memory) KiB after" >&3
	# A sanitizer keeps what was freed.
	[[ ${SANITIZE-}${VALGRIND-} ]] || (($(memory) - before < 8192))
	[[ $(grep -c 'engine process' "$err") -eq 0 ]]
	kill -TERM "$pid"
	finish
	expect_status 0
	has_not 'error:' "$err"
}
