#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The commands that talk to a VM that runs: wait, stop, kill, pause, resume, reset, reboot, console, events, stats.
# bats file_tags=threads

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

client() {
	"$ocivirt" "$1" --root "$root" "${@:2}"
}

lifecycle() {
	local now
	now=$(client state | jq -r .vm.lifecycle)
	[[ $now == "$1" ]] && return
	echo "it is $now, not $1"
	return 1
}

@test "each command does what it says, and the VM's state refuses what it must" {
	config "$(order wait)"
	start
	wait_for 'guest running' "$err"
	client events >"$BATS_TEST_TMPDIR/events" 3>&- &
	client events --format text >"$BATS_TEST_TMPDIR/text" 3>&- &
	client wait >"$BATS_TEST_TMPDIR/wait" 3>&- &
	local waiting=$!
	wait_for '^guest: listening'
	client pause
	lifecycle paused
	run -69 client pause
	[[ $output == *'the VM is paused, and pause is not possible now'* ]]
	client resume
	lifecycle running
	run -69 client resume
	client stats | jq -e '.["state.state"] == 1'
	client stats --format text | grep -qE '^state\.state +1$'
	client reset
	wait_for '"event":"reboot"' "$BATS_TEST_TMPDIR/events"
	local deadline=$((SECONDS + PATIENCE))
	until [[ $(grep -ac '^guest: listening' "$out") -ge 2 ]]; do
		((SECONDS < deadline))
		sleep 0.1
	done
	client stop
	# When it comes back the VM has ended.
	[[ ! -e $root/run/qemu || -z $(pgrep -f "$root/lib/qemu") ]]
	has 'guest powered off' "$err"
	finish
	expect_status 0
	wait "$waiting"
	[[ $(<"$BATS_TEST_TMPDIR/wait") == 0 ]]
	wait
	[[ $(tail -n 1 "$BATS_TEST_TMPDIR/events" | jq -c '[.event, .["exit-status"]]') == '["end",0]' ]]
	has '^ +[0-9]+\.[0-9]{3} s  lifecycle: paused$' "$BATS_TEST_TMPDIR/text"
	has '^ +[0-9]+\.[0-9]{3} s  reboot$' "$BATS_TEST_TMPDIR/text"
	[[ $(tail -n 1 "$BATS_TEST_TMPDIR/text") == *' s  end: exit status 0' ]]
}

@test "reboot asks the guest; kill ends it; wait tells how it ended" {
	config "$(order wait)"
	start
	wait_for '^guest: listening'
	client reboot
	wait_for 'the guest rebooted' "$err"
	client wait >"$BATS_TEST_TMPDIR/wait" 3>&- &
	local waiting=$!
	# Who comes after the end has nobody to ask.
	until ss -Hx | grep -q "$root/control.sock"; do sleep 0.05; done
	client kill
	finish
	expect_status 137
	wait "$waiting"
	[[ $(<"$BATS_TEST_TMPDIR/wait") == 137 ]]
}

@test "stop takes the time that it is given" {
	config "$(order ignore)" "$(annotate stop-timeout 1h)"
	start
	wait_for '^guest: listening'
	client stop --timeout 300ms
	finish
	expect_status 137
	has 'it has 0.3 s' "$err"
}

@test "wait survives those who serve it, and a VM that was killed has nobody to tell" {
	config "$(order wait)"
	start
	wait_for 'guest running' "$err"
	client wait >"$BATS_TEST_TMPDIR/wait" 2>&1 3>&- &
	local waiting=$! engine qemu
	engine=$(engine_pid)
	qemu=$(qemu_pid)
	local deadline=$((SECONDS + PATIENCE))
	until ss -xH | grep -qF "$root/control.sock"; do
		((SECONDS < deadline))
		sleep 0.1
	done
	kill -KILL "$pid" "$engine" "$qemu"
	wait "$pid" || true
	pid=
	local result=0
	wait "$waiting" || result=$?
	[[ $result -eq 69 ]]
	has 'nobody has told its exit status' "$BATS_TEST_TMPDIR/wait"
	while kill -0 "$qemu" 2>/dev/null; do sleep 0.05; done
}

# serve_refusals [STATUS]: somebody is there who does not do what he is asked for, with the pid $server.
serve_refusals() {
	rm -f "$root/control.sock"
	python3 "$BATS_TEST_DIRNAME/refuse.py" "$root/control.sock" "$@" >"$BATS_TEST_TMPDIR/asked" 3>&- &
	server=$!
	until [[ -S $root/control.sock ]]; do sleep 0.05; done
}

@test "wait and stop fail with a server that refuses, and are patient with one that is lost" {
	local server command status
	echo '{}' >"$root/instance.json"
	for status in 403 404 503; do
		serve_refusals "$status"
		for command in wait stop; do
			run -69 timeout 20 "$ocivirt" "$command" --root "$root"
			[[ $output == 'ocivirt: error: not for you' ]]
		done
		kill "$server"
	done
	serve_refusals
	run -124 timeout 2 "$ocivirt" wait --root "$root"
	[[ $(wc -l <"$BATS_TEST_TMPDIR/asked") -le 25 ]]
	kill "$server"
	# Where nobody serves any more, the VM has ended.
	rm "$root/instance.json" "$root/control.sock"
	run -69 timeout 20 "$ocivirt" wait --root "$root"
}

@test "wait and events do not take it for the end that nobody has room for them" {
	local command server
	# Somebody else's, so that it runs for as long as its root directory is locked.
	echo '{"id": "x", "bootId": "another", "pidNamespace": 1, "supervisorPid": 1, "qemuPid": 1, "qemuStartTime": 1}' >"$root/instance.json"
	exec 7<"$root"
	flock -x 7
	for command in wait events; do
		rm -f "$root/control.sock"
		python3 "$BATS_TEST_DIRNAME/full.py" "$root/control.sock" 3>&- 7<&- &
		server=$!
		until [[ -S $root/control.sock ]]; do sleep 0.05; done
		run -69 timeout 30 "$ocivirt" "$command" --root "$root" 7<&-
		echo "$output"
		kill "$server"
		[[ $output == *"cannot connect to $root/control.sock: "* ]]
	done
	exec 7<&-
}

@test "a root directory is reached by a path that is too long for a socket, too" {
	local server long
	long=$BATS_TEST_TMPDIR/$(printf 'x%.0s' {1..120})
	ln -s "$root" "$long"
	serve_refusals 403
	run -69 timeout 20 "$ocivirt" wait --root "$long"
	kill "$server"
	[[ $output == 'ocivirt: error: not for you' ]]
	rm "$root/control.sock"
	run -69 timeout 20 "$ocivirt" wait --root "$long"
	[[ $output == "ocivirt: error: there is no VM in the root directory $long" ]]
}

@test "console: both ways, from the first byte, for more than one" {
	config "$(order echo)"
	start
	# Before there is a console.
	until [[ -S $root/control.sock ]]; do sleep 0.01; done
	client console </dev/null >"$BATS_TEST_TMPDIR/first" 3>&- &
	mkfifo "$BATS_TEST_TMPDIR/keys"
	client console <"$BATS_TEST_TMPDIR/keys" >"$BATS_TEST_TMPDIR/second" 3>&- &
	exec 5>"$BATS_TEST_TMPDIR/keys"
	wait_for '^guest: ready'
	echo 'hello' >&5
	wait_for '^guest: echo hello' "$BATS_TEST_TMPDIR/second"
	wait_for '^guest: echo hello' "$BATS_TEST_TMPDIR/first"
	# Who types no more still sees.
	exec 5>&-
	client stop
	finish
	wait
	cmp "$out" "$BATS_TEST_TMPDIR/first"
	cmp "$out" "$BATS_TEST_TMPDIR/second"
}

@test "console with console=off: the container's output stays empty" {
	config "$(order echo)" "$(annotate console off)"
	start
	wait_for 'guest running' "$err"
	(
		until grep -qa '^guest: ready' "$BATS_TEST_TMPDIR/seen"; do sleep 0.1; done
		echo hello
		until grep -qa '^guest: echo hello' "$BATS_TEST_TMPDIR/seen"; do sleep 0.1; done
	) 3>&- | client console >"$BATS_TEST_TMPDIR/seen" 3>&- &
	wait_for '^guest: echo hello' "$BATS_TEST_TMPDIR/seen"
	client kill
	finish
	wait
	[[ ! -s $out ]]
}

# ends_soon PID: of SIGTERM.
ends_soon() {
	local result=0 state
	kill -TERM "$1"
	for _ in {1..50}; do
		state=$(ps -o stat= -p "$1" || true)
		[[ $state && $state != Z* ]] || break
		sleep 0.1
	done
	kill -KILL "$1" 2>/dev/null || true
	wait "$1" || result=$?
	echo "its status is $result"
	[[ $result -eq 143 ]]
}

@test "console: a guest, or a reader, that takes nothing does not keep it from its end, nor its place from others" {
	config "$(order wait)"
	type_to_guest
	start
	wait_for '^guest: ready'
	mkfifo "$BATS_TEST_TMPDIR/unread"
	exec 6<>"$BATS_TEST_TMPDIR/unread"
	"$ocivirt" console --root "$root" </dev/null >&6 3>&- &
	local reader=$! typist i attached=()
	echo 'order flood' >&9
	sleep 2
	ends_soon "$reader"
	run -69 full timeout 20 "$ocivirt" console --root "$root"
	[[ $output == 'ocivirt: error: cannot write to standard output: No space left on device' ]]
	client pause
	# Newlines, since at each the guest's terminal can forget what was before.
	tr '\0' '\n' </dev/zero | head -c 4M >"$BATS_TEST_TMPDIR/keys"
	"$ocivirt" console --root "$root" <"$BATS_TEST_TMPDIR/keys" >/dev/null 3>&- &
	typist=$!
	sleep 2
	ends_soon "$typist"
	for i in {1..16}; do
		"$ocivirt" console --root "$root" </dev/null >"$BATS_TEST_TMPDIR/seen.$i" 3>&- &
		attached+=($!)
	done
	# Until all of them are; whoever asked before would take a place.
	local deadline=$((SECONDS + PATIENCE))
	until (($(ss -xHp state established | grep -c "$root/control.sock") >= 16)); do
		((SECONDS < deadline))
		sleep 0.1
	done
	sleep 1
	run -69 timeout 20 "$ocivirt" console --root "$root"
	[[ $output == *'16 clients are attached'* ]]
	client resume
	for i in {1..16}; do
		wait_for 'quick brown fox' "$BATS_TEST_TMPDIR/seen.$i"
	done
	client kill
	finish
	wait "${attached[@]}"
}

@test "console at a terminal: however it is left, the terminal is as it was" {
	config
	start
	wait_for 'vm:[^ ]*# '
	local case
	for case in escape halted lost TERM INT HUP QUIT end; do
		expect "$BATS_TEST_DIRNAME/attach.exp" "$case" "$ocivirt" console --root "$root"
	done
	finish
	expect_status 0
}

@test "no VM, nobody who answers, a wrong option: a status, and a reason" {
	local command
	for command in wait stop kill pause resume reset reboot console events stats; do
		run -69 client "$command"
		[[ $output == "ocivirt: error: there is no VM in the root directory $root" ]]
		run -0 "$ocivirt" "$command" --help
		[[ $output == *--root* ]]
		run -64 client "$command" --bundle "$bundle"
		run -64 client "$command" argument
	done
	run -64 client stop --timeout soon
	[[ $output == *'--timeout is "soon", and must be a duration'* ]]
	run -64 client stats --format xml
	echo '{}' >"$root/instance.json"
	run -69 client wait
	[[ $output == *"the ocivirt that ran in $root is gone: nobody answers at $root/control.sock"* ]]
}
