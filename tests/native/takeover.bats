#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whoever dies: the guest goes on, or ends in order, and nothing is left behind.

setup() {
	source "$BATS_TEST_DIRNAME/helpers.bash"
	common_setup
}

teardown() {
	common_teardown
}

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

# kill_all: the supervisor first, and then its engine, which cannot do anything about it.
kill_all() {
	local engine
	engine=$(engine_pid)
	kill -STOP "$engine"
	kill -KILL "$pid" "$engine"
	wait "$pid" || true
	pid=
}

# The guest's counter: each number once, in order, to the last.
expect_no_gap() {
	grep -a '^guest: count [0-9]' "$out" | tr -d '\r' | awk '
		$3 != n + 1 { print "gap: " n " to " $3; bad = 1 }
		{ n = $3 }
		END { exit bad || !n }'
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
	config "$(order count)"
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
	config "$(order ignore)" "$(annotate stop-timeout 4s)"
	start
	wait_for '^guest: ready'
	local since
	since=$(now_ms)
	kill -TERM "$pid"
	wait_for '^guest: power button'
	lose_engine KILL
	finish
	expect_status 137
	has 'did not power off within its stop-timeout' "$err"
	at_most 5500 "$since"
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

@test "five engines lost within a minute are enough: status 70, the guest is ended, nothing is left" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	for _ in {1..4}; do lose_engine KILL; done
	kill -KILL "$(engine_pid)"
	finish
	expect_status 70
	has '5 engine processes have died, the last one of signal 9' "$err"
	run ! pgrep -f -- "$root"
	[[ $(cd "$root" && echo *) == "cache disks log" ]]
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
	run ! pgrep -f -- "$root"
	[[ $(cd "$root" && echo *) == "cache disks log" ]]
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
