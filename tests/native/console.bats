#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The guest's console is standard input and output: whole, in order, and never in the guest's way.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

# The numbered lines that the guest prints (tests/guest/init).
lines() {
	yes 'the quick brown fox jumps over the lazy dog 0123456789 .' | cat -n | head -c "$1"
}

# What stands between "guest: printing" and "guest: printed".
printed() {
	sed -e '1,/^guest: printing/d' -e '/^guest: printed/,$d' "$1"
}

# run_into READER...: ocivirt, its output piped into a command; sets $status.
run_into() {
	set +e
	"$ocivirt" run --bundle "$bundle" --root "$root" 2>"$err" </dev/null 3>&- | "$@" >"$out"
	status=${PIPESTATUS[0]}
	set -e
}

# The filter that reads $1 bytes at a time, with a pause of $2 after each.
# shellcheck disable=SC2016 # the inner shell expands it
slow_reader='exec 3>&1; while (($(head -c "$1" | tee -a /dev/fd/3 | wc -c) > 0)); do sleep "$2"; done'

@test "5 MB of output arrive complete and in order through a slow reader" {
	config "$(order print,5000000)"
	# At most 2 MB/s, in gulps with pauses, after a long one that only a buffer gets over.
	run_into bash -c "sleep 9; $slow_reader" - 100000 0.05
	expect_status 0
	has '^guest: printed 5000000'
	# Before its own newline.
	cmp <(printed "$out" | head -c 5000000) <(lines 5000000)
}

@test "a reader that is slow all the time gets everything, too" {
	config "$(order print,400000)"
	run_into bash -c "$slow_reader" - 8000 0.1
	expect_status 0
	has_not 'lost' "$err"
	cmp <(printed "$out" | head -c 400000) <(lines 400000)
}

@test "a reader that stops reading does not stop the guest" {
	config "$(order print,6000000)"
	mkfifo "$BATS_TEST_TMPDIR/console"
	PATIENCE=400
	sleep 1000 <"$BATS_TEST_TMPDIR/console" 3>&- &
	local reader=$!
	"$ocivirt" run --bundle "$bundle" --root "$root" >"$BATS_TEST_TMPDIR/console" 2>"$err" </dev/null 3>&- &
	pid=$!
	finish
	kill $reader
	expect_status 0
	has 'bytes of the guest.s console are lost: standard output is not read' "$err"
}

@test "output that nobody can read is no reason to stop" {
	config "$(order print,1000000)"
	run_into head -c 100
	expect_status 0
	has 'the guest powered off' "$err"
}

@test "a closed standard input is no reason to stop, nor are closed descriptors" {
	config "$(order wait)"
	"$ocivirt" run --bundle "$bundle" --root "$root" >"$out" 2>"$err" <&- 3>&- &
	pid=$!
	wait_for '^guest: ready'
	kill -TERM "$pid"
	finish
	expect_status 0
	: >"$err" # or what the first one said would be taken for the second's
	"$ocivirt" run --bundle "$bundle" --root "$root" >&- 2>"$err" <&- 3>&- &
	pid=$!
	wait_for 'guest running' "$err"
	# Nothing else may have got their numbers.
	[[ $(readlink "/proc/$pid/fd/0" "/proc/$pid/fd/1" | sort -u) == /dev/null ]]
	kill -QUIT "$pid"
	finish
	expect_status 137
}

@test "what is typed reaches the guest, byte for byte" {
	config "$(order echo)"
	mkfifo "$BATS_TEST_TMPDIR/in"
	"$ocivirt" run --bundle "$bundle" --root "$root" >"$out" 2>"$err" <"$BATS_TEST_TMPDIR/in" 3>&- &
	pid=$!
	exec 4>"$BATS_TEST_TMPDIR/in"
	wait_for '^guest: ready'
	for i in {1..50}; do
		echo "line $i of 50" >&4
	done
	wait_for '^guest: echo line 50 of 50'
	[[ $(grep -c '^guest: echo line' "$out") -eq 50 ]]
	printf 'order power' >&4
	printf 'off\n' >&4
	finish
	exec 4>&-
	expect_status 0
}

@test "ocivirt's own words are on stderr alone" {
	config "$(order poweroff)"
	start
	finish
	has '^ocivirt: guest running' "$err"
	has_not 'ocivirt:'
	has_not '^guest:' "$err"
}

@test "--log-format json writes JSON lines, -q only errors, -v more" {
	config "$(order poweroff)"
	start --log-format json
	finish
	expect_status 0
	jq -es 'all(.[]; has("time") and has("level") and has("msg")) and length >= 2' "$err"
	start -q
	finish
	[[ ! -s $err ]]
	start -v
	finish
	has 'debug: ' "$err"
}

@test "console=off shows nothing and takes no input" {
	config "$(order poweroff)" "$(annotate console off)"
	start
	finish
	expect_status 0
	[[ ! -s $out ]]
}

@test "on a terminal the console is raw and interactive, and the terminal is sane afterwards" {
	config "$(order shell)"
	expect "$BATS_TEST_DIRNAME/tty.exp" leave "$ocivirt" run --bundle "$bundle" --root "$root"
}

@test "the terminal is sane after a kill, of whichever process" {
	config "$(order shell)"
	for victim in TERM QUIT supervisor engine qemu; do
		expect "$BATS_TEST_DIRNAME/tty.exp" "$victim" "$ocivirt" run --bundle "$bundle" --root "$root"
		for _ in {1..50}; do
			pgrep -f -- "$root" >/dev/null || break
			sleep 0.1
		done
	done
}

@test "Ctrl-] three times stops the guest" {
	config "$(order wait)"
	expect "$BATS_TEST_DIRNAME/tty.exp" escape "$ocivirt" run --bundle "$bundle" --root "$root"
}

@test "in the background of a shell it runs without the terminal" {
	config "$(order wait)"
	expect "$BATS_TEST_DIRNAME/tty.exp" background "$ocivirt" run --bundle "$bundle" --root "$root"
}

@test "console=plain leaves the terminal as it is: Ctrl-C stops the guest" {
	config "$(order wait)" "$(annotate console plain)"
	expect "$BATS_TEST_DIRNAME/tty.exp" plain "$ocivirt" run --bundle "$bundle" --root "$root"
}
