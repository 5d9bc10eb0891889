#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the guest's agent does for those who ask: exec, addresses, freeze and thaw.
# bats file_tags=threads

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

client() {
	"$ocivirt" "$1" --root "$root" "${@:2}"
}

guest_exec() {
	client exec "$@"
}

# agent_config FILTER...: a guest with an agent.
agent_config() {
	cat "$guest/initrd.img" "$guest/agent.img" >"$BATS_TEST_TMPDIR/initrd.img"
	config ".vm.kernel.initrd = \"$BATS_TEST_TMPDIR/initrd.img\"" "$(annotate memory 192M)" "$(annotate ready agent)" "$@"
}

no_room='ocivirt: error: cannot write to standard output: No space left on device'

agent_appears() {
	local deadline=$((SECONDS + PATIENCE))
	until client health >/dev/null; do
		((SECONDS < deadline))
		sleep 0.2
	done
}

# A command that takes its time, until the agent is asked for it twice a second only, and in between can be halted.
begin_slow_command() {
	guest_exec -- sh -c 'rm -f /go; touch /slow; until [ -e /go ]; do sleep 0.2; done; rm /slow; echo done; exit 5' \
		>"$BATS_TEST_TMPDIR/slow" 2>&1 3>&- &
	slow=$!
	local deadline=$((SECONDS + PATIENCE))
	until guest_exec -- busybox test -e /slow; do
		((SECONDS < deadline))
		sleep 0.1
	done
	sleep 1.5
}

expect_slow_command() {
	local result=0
	guest_exec -- busybox touch /go
	wait "$slow" || result=$?
	echo "$result: $(<"$BATS_TEST_TMPDIR/slow")"
	[[ $result -eq 5 && $(<"$BATS_TEST_TMPDIR/slow") == 'done' ]]
}

@test "exec: status, output, input, environment, time, and what cannot be run" {
	agent_config "$(order wait)"
	start
	wait_for 'guest running' "$err"
	# The agent is not there yet.
	run -125 guest_exec -- busybox true
	[[ $output == *agent* ]]
	run -1 client health
	[[ $output == 'not ready: no guest agent is connected' ]]
	agent_appears
	run -0 client health
	[[ $output == ready ]]

	run -0 --separate-stderr guest_exec -- sh -c 'echo out; echo err >&2'
	[[ $output == out && $stderr == err ]]
	run -7 guest_exec sh -c 'exit 7'
	run -124 guest_exec sh -c 'exit 124'
	[[ -z $output ]]
	# What looks like our options is the command's.
	run -0 guest_exec busybox echo -i --env x --timeout -- '' "it's"
	[[ $output == "-i --env x --timeout --  it's" ]]
	run -137 guest_exec -- sh -c 'kill -KILL $$'
	run -143 guest_exec -- sh -c 'kill -TERM $$'
	run -0 guest_exec -e A=1 --env 'B=2 3' -- sh -c 'echo "$A$B"'
	[[ $output == '12 3' ]]
	# Words are bytes, whatever locale we are in.
	local locale
	for locale in C C.UTF-8; do
		LC_ALL=$locale run -0 guest_exec -e 'A=ä' -- sh -c 'echo "$A$0"' '→'
		[[ $output == 'ä→' ]]
	done
	run -124 guest_exec --timeout 5s -- busybox sleep 100
	[[ $output == *'has not ended within 5s; it runs on, as pid '* ]]
	run -127 guest_exec -- /no/such/command
	[[ $output == *'/no/such/command'* ]]
	run -127 guest_exec -- no-such-word
	run -126 guest_exec -- /etc
	run -126 guest_exec -- /proc/cpuinfo

	# Bytes, all of them, both ways; and to nobody without -i.
	head -c 98304 /dev/urandom >"$BATS_TEST_TMPDIR/bytes"
	guest_exec -i -- busybox cat <"$BATS_TEST_TMPDIR/bytes" | cmp - "$BATS_TEST_TMPDIR/bytes"
	[[ $(guest_exec -- busybox cat <"$BATS_TEST_TMPDIR/bytes" | wc -c) -eq 0 ]]
	head -c 98305 /dev/zero >"$BATS_TEST_TMPDIR/bytes"
	run -125 guest_exec -i -- busybox cat <"$BATS_TEST_TMPDIR/bytes"
	[[ $output == *'more than the 98304 bytes'* ]]
	# A command that is too long for libvirt is refused, and the agent stays there.
	head -c 98304 /dev/zero >"$BATS_TEST_TMPDIR/bytes"
	run -125 guest_exec -i -- busybox echo "$(head -c 40000 /dev/zero | tr '\0' x)" <"$BATS_TEST_TMPDIR/bytes"
	[[ $output == *'can have 163840 bytes'* ]]
	# What the guest has to tell is much.
	guest_exec -- busybox head -c 1000000 /dev/zero | cmp - <(head -c 1000000 /dev/zero)
	# Who takes it does so when it likes, or not at all.
	python3 "$BATS_TEST_DIRNAME/nonblocking.py" "$ocivirt" exec --root "$root" -- busybox head -c 1000000 /dev/zero |
		cmp - <(head -c 1000000 /dev/zero)
	run -125 full guest_exec -- busybox echo lost
	[[ $output == "ocivirt: error: the command has ended, and its stdout cannot be written: No space left on device" ]]
	run -69 full client addresses
	[[ $output == "$no_room" ]]
	run -69 full client events
	[[ $output == "$no_room" ]]

	# Who hangs up is forgotten: more of them than can wait do not keep others waiting.
	local i asked=
	for i in {1..40}; do
		curl -s --max-time 1 --unix-socket "$root/control.sock" http://localhost/v1/exec -d '{"command": ["busybox", "sleep", "100"]}' 3>&- &
		asked+=" $!"
	done
	# shellcheck disable=SC2086 # a list
	wait $asked || true
	run -0 guest_exec -- busybox echo fine
	[[ $output == fine ]]

	# Halted, the guest starts no command; one that it has begun goes on afterwards.
	client pause
	run -125 guest_exec -- busybox true
	client resume
	guest_exec -- busybox true
	begin_slow_command
	client pause
	sleep 2
	client resume
	expect_slow_command
	# Another engine asks the same agent.
	kill -KILL "$(engine_pid)"
	wait_for 'the VM is taken over' "$err"
	run -0 guest_exec -- busybox echo again
	[[ $output == again ]]
	# The VM ends, and who waits for a command knows it.
	guest_exec -- busybox sleep 100 2>"$BATS_TEST_TMPDIR/left" 3>&- &
	local waiting=$! result=0
	sleep 1
	client kill
	wait "$waiting" || result=$?
	[[ $result -eq 125 ]]
	grep -q 'error: ' "$BATS_TEST_TMPDIR/left"
	finish
}

@test "exec: a status that is none of Linux's is no success" {
	local result expected server
	for result in '"exited", "status": 256:255' '"exited", "status": 512:255' '"exited", "status": -1073741510:255' \
		'"exited", "status": 3221225786:255' '"exited", "status": 9223372036854775807:255' '"exited", "status": 255:255' \
		'"exited", "status": 0:0' '"killed", "signal": 15:143' '"killed", "signal": 128:255' '"killed", "signal": -128:128' \
		'"killed", "signal": 3221225477:255' '"killed", "signal": 9223372036854775807:255'; do
		expected=${result##*:}
		rm -f "$root/control.sock"
		python3 "$BATS_TEST_DIRNAME/refuse.py" "$root/control.sock" 200 "{\"end\": ${result%:*}}" >/dev/null 3>&- &
		server=$!
		until [[ -S $root/control.sock ]]; do sleep 0.02; done
		run timeout 20 "$ocivirt" exec --root "$root" -- true
		kill "$server"
		echo "$result: $status $output"
		[[ $status -eq $expected ]]
	done
}

@test "addresses, freeze and thaw" {
	mke2fs -q -t ext4 "$BATS_TEST_TMPDIR/disk" 8M
	agent_config "$(order wait)" ".vm.image = {path: \"$BATS_TEST_TMPDIR/disk\"}"
	start
	wait_for 'guest running' "$err"
	agent_appears
	guest_exec -- sh -c 'ip link set lo up; mkdir /mnt; mount -t ext4 /dev/vda /mnt'
	client addresses | jq -e '.interfaces[] | select(.name == "lo").addresses[0] == {address: "127.0.0.1", prefix: 8}'
	client addresses --format text | grep -qE '^lo +127\.0\.0\.1/8$'
	begin_slow_command
	run -0 client freeze
	[[ $output == 1 ]]
	# Frozen it does nothing else.
	run -125 guest_exec -- busybox true
	run -69 client freeze
	sleep 2
	run -0 client thaw
	[[ $output == 1 ]]
	guest_exec -- busybox true
	expect_slow_command
	client kill
	finish
}

@test "no VM, a wrong option, no agent: a status, and a reason" {
	run -125 guest_exec -- busybox true
	[[ $output == "ocivirt: error: there is no VM in the root directory $root" ]]
	run -125 guest_exec
	[[ $output == *'no command'* ]]
	run -125 guest_exec --bundle x -- true
	run -125 guest_exec --timeout soon -- true
	[[ $output == *'--timeout is "soon", and must be a duration'* ]]
	run -125 guest_exec --timeout 0 -- true
	run -125 guest_exec --env NAME -- true
	[[ $output == *'NAME=VALUE'* ]]
	local locale
	for locale in C C.UTF-8; do
		LC_ALL=$locale run -125 guest_exec -e 'A=ä' -- busybox echo '→'
		[[ $output == "ocivirt: error: there is no VM in the root directory $root" ]]
		LC_ALL=$locale run -125 guest_exec -- busybox echo $'\xff'
		[[ $output == *UTF-8* ]]
	done
	run -0 "$ocivirt" exec --help
	[[ $output == *'COMMAND [ARGUMENT…]'*--env* ]]
	local command
	for command in addresses freeze thaw; do
		run -69 client "$command"
		[[ $output == "ocivirt: error: there is no VM in the root directory $root" ]]
		run -64 client "$command" argument
		run -0 "$ocivirt" "$command" --help
	done
	config "$(order wait)"
	start
	wait_for '^guest: listening'
	run -125 guest_exec -- busybox true
	[[ $output == *agent*'qemu-guest-agent'* ]]
	run -69 client addresses
	client kill
	finish
}

@test "a paused guest that is stopped by its agent is asked once it runs" {
	agent_config "$(order wait)" "$(annotate stop-method agent)" "$(annotate stop-timeout 40s)"
	start
	agent_appears
	# What the agent calls, and the guest has not.
	run -0 guest_exec -- sh -c 'mkdir -p /sbin && printf "#!/bin/sh\norder poweroff\n" >/sbin/shutdown && chmod 755 /sbin/shutdown'
	kill -TSTP "$pid"
	local deadline=$((SECONDS + PATIENCE))
	until [[ $(client state | jq -r .vm.lifecycle) == paused ]]; do
		((SECONDS < deadline))
		sleep 0.1
	done
	kill -TERM "$pid"
	finish
	expect_status 0
	has '^guest: powering off'
	has_not '^guest: power button'
}
