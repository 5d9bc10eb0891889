#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Hooks: when they run, what they are told, and what follows when they fail.

load helpers
setup() {
	common_setup
	record=$BATS_TEST_TMPDIR/record
	mkdir "$record"
}
teardown() { common_teardown; }

# program NAME: standard input becomes a hook's program, which has $record.
program() {
	{
		printf '#!/bin/bash\nexport PATH=/usr/bin:/bin\nrecord=%q ocivirt=%q root=%q\n' "$record" "$ocivirt" "$root"
		cat
	} >"$BATS_TEST_TMPDIR/$1"
	chmod +x "$BATS_TEST_TMPDIR/$1"
}

# hook KIND NAME [JSON]: the filter that adds a hook with this program, and more members.
hook() {
	echo ".hooks.$1 += [{path: \"$BATS_TEST_TMPDIR/$2\"} + ${3-{\}}]"
}

# A hook that keeps the state it was told, and says in $record/order who ran: its $1.
recorder() {
	program recorder <<-'END'
		cat >"$record/state.$1"
		echo "$1" >>"$record/order"
	END
}

recorded() {
	hook "$1" recorder "{args: [\"hook\", \"$2\"]}"
}

told() {
	jq -r "$2" "$record/state.$1"
}

@test "all kinds run, in order, and are told the state of their moment" {
	recorder
	config "$(order wait)" '.annotations["some.note"] = "a \"b\""' "$(recorded poststop poststop-0)" \
		"$(recorded poststart poststart-0)" "$(recorded createContainer createContainer-0)" \
		"$(recorded createRuntime createRuntime-0)" "$(recorded createRuntime createRuntime-1)" \
		"$(recorded prestart prestart-0)" "$(recorded poststop poststop-1)"
	start --id told
	wait_for '^guest: listening'
	local qemu
	qemu=$(qemu_pid)
	kill -TERM "$pid"
	finish
	expect_status 0
	[[ $(paste -sd' ' "$record/order") == "prestart-0 createRuntime-0 createRuntime-1 createContainer-0 poststart-0 poststop-0 poststop-1" ]]
	for moment in prestart-0 createRuntime-0 createRuntime-1 createContainer-0; do
		[[ $(told $moment .status) == creating ]]
		[[ $(told $moment .pid) == "$qemu" ]]
	done
	[[ $(told poststart-0 .status) == running && $(told poststart-0 .pid) == "$qemu" ]]
	for moment in poststop-0 poststop-1; do
		[[ $(told $moment .status) == stopped ]]
		[[ $(told $moment 'has("pid")') == false ]]
	done
	for moment in prestart-0 poststart-0 poststop-1; do
		[[ $(told $moment '.ociVersion, .id, .bundle, .annotations["some.note"]' | paste -sd' ') == "1.3.0 told $bundle a \"b\"" ]]
	done
}

@test "the pid is QEMU's, whose guest has not run before createContainer hooks have ended" {
	program look <<-'END'
		pid=$(jq .pid)
		readlink "/proc/$pid/exe" >"$record/exe"
		sleep 1
		[[ ! -s ${record%/record}/out ]] && echo silent >"$record/console"
	END
	config "$(order poweroff)" "$(hook createContainer look)" "$kernel_messages"
	start
	finish
	expect_status 0
	has qemu-system "$record/exe"
	has silent "$record/console"
	has '\[ +0\.000000\] Linux version'
}

@test "arguments, environment and working directory are what config.json says, and nothing else" {
	program show <<-'END'
		printf '%s\n' "$0" "$@" >"$record/args"
		tr '\0' '\n' </proc/$$/environ >"$record/env"
		pwd >"$record/cwd"
		exec ls /proc/self/fd >"$record/fds"
	END
	config "$(order poweroff)" "$(hook createRuntime show '{args: ["zero", "a b", ""], env: ["X=1 2"]}')" \
		"$(hook poststop show '{env: ["X=poststop"]}')"
	start
	wait_for '^X=1 2$' "$record/env"
	[[ $(paste -sd'|' "$record/args") == "$BATS_TEST_TMPDIR/show|a b|" ]]
	finish
	[[ $(<"$record/env") == X=poststop ]]
	[[ $(<"$record/cwd") == "$bundle" ]]
	# The fourth is the folder that ls reads.
	[[ $(paste -sd' ' "$record/fds") == "0 1 2 3" ]]
}

@test "what hooks print is in the log, and not on the console" {
	program talk <<<'echo "to stdout"; printf "to \033[2Jstderr" >&2'
	config "$(order poweroff)" "$(hook prestart talk)" "$(hook poststop talk)"
	start
	finish
	expect_status 0
	has "^ocivirt: hook prestart\[0\] \($BATS_TEST_TMPDIR/talk\): to stdout" "$err"
	has '^ocivirt: hook poststop\[0\] .*: to \?\[2Jstderr' "$err"
	has_not 'to stdout'
}

@test "a create hook that fails: status 69, the guest has not run, poststop hooks have" {
	recorder
	program fail <<<'echo "no such bridge"; exit 3'
	for kind in prestart createRuntime createContainer; do
		rm -f "$record/order"
		config "$(order poweroff)" "$(recorded $kind before)" "$(hook $kind fail)" "$(recorded $kind never)" \
			"$(recorded poststart never)" "$(recorded poststop after)"
		start
		finish
		expect_status 69
		has "error: hook $kind\[1\] \($BATS_TEST_TMPDIR/fail\) exited with status 3; its last words: no such bridge" "$err"
		has_not 'guest running' "$err"
		[[ ! -s $out ]]
		[[ $(paste -sd' ' "$record/order") == "before after" ]]
		[[ $(told after .status) == stopped ]]
	done
}

@test "hooks that die of a signal, or whose interpreter is missing, are errors too" {
	program crash <<<'kill -SEGV $$'
	config "$(order poweroff)" "$(hook createRuntime crash)"
	start
	finish
	expect_status 69
	has 'hook createRuntime\[0\] .* died of signal 11' "$err"
	# valgrind itself gives up when an interpreter is missing.
	[[ -z ${VALGRIND-} ]] || return 0
	printf '#!/nonexistent\n' >"$BATS_TEST_TMPDIR/crash"
	start
	finish
	expect_status 69
	has 'hook createRuntime\[0\] .* cannot be executed: No such file' "$err"
}

@test "a hook that takes longer than its timeout is killed with all its processes: status 69" {
	program slow <<<'sleep 1234 & echo $! >"$record/child"; wait'
	config "$(order poweroff)" "$(hook createRuntime slow '{timeout: 1}')"
	local begin
	begin=$(now_ms)
	start
	finish
	expect_status 69
	at_most 10000 "$begin"
	has 'hook createRuntime\[0\] .* was killed: it has a timeout of 1 s' "$err"
	run ! kill -0 "$(<"$record/child")"
}

@test "a poststart hook that fails ends the guest: status 69" {
	recorder
	program fail <<<'exit 4'
	config "$(order wait)" "$(hook poststart fail)" "$(recorded poststop after)"
	start
	finish
	expect_status 69
	has 'guest running after' "$err"
	has 'error: hook poststart\[0\] .* exited with status 4' "$err"
	has_not '^guest: power button'
	[[ $(<"$record/order") == after ]]
}

@test "a poststop hook that fails is a warning: the others run, and the status stays" {
	recorder
	program fail <<<'exit 5'
	config "$(order poweroff)" "$(hook poststop fail)" "$(hook poststop slow '{timeout: 1}')" "$(recorded poststop after)"
	program slow <<<'sleep 1234'
	start
	finish
	expect_status 0
	has 'warning: hook poststop\[0\] .* exited with status 5' "$err"
	has 'warning: hook poststop\[1\] .* timeout of 1 s' "$err"
	[[ $(<"$record/order") == after ]]
}

@test "a stop signal while a create hook runs kills it and ends the start: status 0" {
	recorder
	program slow <<<'echo $$ >"$record/pid"; exec sleep 1234'
	config "$(order poweroff)" "$(hook createRuntime slow)" "$(recorded createContainer never)" "$(recorded poststop after)"
	for signal in TERM INT; do
		rm -f "$record"/*
		start
		wait_for . "$record/pid"
		local asked
		asked=$(now_ms)
		kill -$signal "$pid"
		finish
		expect_status 0
		at_most 5000 "$asked"
		has 'stopped before the guest ran' "$err"
		[[ $(<"$record/order") == after ]]
		run ! kill -0 "$(<"$record/pid")"
	done
	rm "$record/pid"
	start
	wait_for . "$record/pid"
	kill -QUIT "$pid"
	finish
	expect_status 137
}

@test "QEMU that dies while a create hook runs ends it; the status is QEMU's" {
	recorder
	program slow <<<'jq .pid >"$record/qemu"; echo $$ >"$record/pid"; exec sleep 1234'
	config "$(order poweroff)" "$(hook createRuntime slow)" "$(recorded poststop after)"
	start
	wait_for . "$record/pid"
	kill -KILL "$(<"$record/qemu")"
	finish
	expect_status 137
	[[ $(<"$record/order") == after ]]
	run ! kill -0 "$(<"$record/pid")"
}

@test "a guest that ends while a poststart hook runs ends that" {
	recorder
	program slow <<<'echo $$ >"$record/pid"; exec sleep 1234'
	config "$(order poweroff)" "$(hook poststart slow)" "$(recorded poststop after)"
	start
	finish
	expect_status 0
	[[ $(<"$record/order") == after ]]
	run ! kill -0 "$(<"$record/pid")"
}

@test "poststop hooks run after a guest that was forced, and one whose QEMU was killed" {
	recorder
	config "$(order ignore)" "$(recorded poststop after)"
	start
	wait_for '^guest: ready'
	kill -QUIT "$pid"
	finish
	expect_status 137
	start
	wait_for '^guest: ready'
	kill -KILL "$(qemu_pid)"
	finish
	expect_status 137
	[[ $(grep -c after "$record/order") -eq 2 ]]
}

@test "an engine that is killed while a hook runs takes hook and VM along, and poststop hooks run" {
	recorder
	program slow <<<'echo $$ >"$record/pid"; exec sleep 1234'
	config "$(order wait)" "$(hook createRuntime slow)" "$(recorded poststop after)"
	start
	wait_for . "$record/pid"
	kill -KILL "$(engine_pid)"
	finish
	expect_status 70
	has 'not started again: hooks that are to run once had begun to' "$err"
	[[ $(<"$record/order") == after ]]
	[[ $(told after .status) == stopped ]]
	run ! kill -0 "$(<"$record/pid")"
}

@test "a supervisor that was killed leaves the poststop hooks to the engine" {
	recorder
	config "$(order wait)" "$(recorded poststop after)"
	start
	wait_for '^guest: ready'
	kill -KILL "$pid"
	wait "$pid" || true
	pid=
	wait_for after "$record/order"
	[[ $(told after .status) == stopped ]]
}

@test "where there was no VM there are no poststop hooks" {
	recorder
	config "$(order poweroff)" "$(recorded poststop after)" "$(annotate machine no-such-machine)"
	start
	finish
	[[ $status -eq 78 || $status -eq 70 ]]
	[[ ! -e $record/order ]]
}

@test "in poststop a further stop signal kills the hook that runs, and no other" {
	recorder
	program slow <<<'echo $$ >"$record/pid"; exec sleep 1234'
	config "$(order poweroff)" "$(hook poststop slow)" "$(recorded poststop after)"
	start
	wait_for . "$record/pid"
	run ! pgrep -f "qemu.*$root"
	kill -TERM "$pid"
	finish
	expect_status 0
	has 'warning: hook poststop\[0\] .* was killed before its end' "$err"
	[[ $(<"$record/order") == after ]]
}

@test "what a hook leaves running does not hold up the start, and ends with the VM" {
	program daemon <<<'sleep 1234 & echo $! >"$record/child"'
	config "$(order wait)" "$(hook createRuntime daemon)"
	start
	wait_for '^guest: ready'
	kill -0 "$(<"$record/child")"
	kill -TERM "$pid"
	finish
	expect_status 0
	run ! kill -0 "$(<"$record/child")"
}

@test "in the VM's network namespace run createContainer hooks, and no others" {
	# shellcheck disable=SC2016 # the hook's own
	program where <<<'readlink /proc/self/ns/net >"$record/net.$1"'
	local filters=() namespace=ocivirt-hooks-$$ inside
	ip netns add "$namespace"
	inside=$(ip netns exec "$namespace" readlink /proc/self/ns/net)
	for kind in prestart createRuntime createContainer poststart poststop; do
		filters+=("$(hook $kind where "{args: [\"x\", \"$kind\"]}")")
	done
	config "$(order poweroff)" "${filters[@]}" \
		".linux.namespaces = [{type: \"network\", path: \"/run/netns/$namespace\"}]"
	start
	finish
	ip netns delete "$namespace"
	expect_status 0
	[[ $(<"$record/net.createContainer") == "$inside" ]]
	for kind in prestart createRuntime poststart poststop; do
		[[ $(<"$record/net.$kind") == "$(readlink /proc/self/ns/net)" ]]
	done
}

@test "hooks can ask for the state themselves" {
	# shellcheck disable=SC2016 # the hook's own
	program ask <<<'"$ocivirt" state --root "$root" >"$record/asked.$1"'
	config "$(order poweroff)" "$(hook createRuntime ask '{args: ["x", "create"]}')" \
		"$(hook poststart ask '{args: ["x", "start"]}')" "$(hook poststop ask '{args: ["x", "stop"]}')"
	start
	finish
	expect_status 0
	[[ $(jq -r .status "$record/asked.create") == creating ]]
	[[ $(jq -r .status "$record/asked.start") == running ]]
	[[ $(jq -r .status "$record/asked.stop") == stopped ]]
	[[ $(jq -r .pid "$record/asked.create") -eq $(jq -r .pid "$record/asked.start") ]]
	[[ $(jq 'has("pid")' "$record/asked.stop") == false ]]
}

@test "what begins in the same root directory after a stop waits for poststop hooks, and nobody is asked meanwhile" {
	program slow <<<'until [ -e "$record/go" ]; do sleep 0.1; done; touch "$record/ended"'
	config "$(order wait)" "$(hook poststop slow)"
	start --id vm
	wait_for '^guest: listening'
	local first=$pid second
	"$ocivirt" stop --root "$root"
	run -69 timeout 60 "$ocivirt" wait --root "$root"
	run -0 "$ocivirt" state --root "$root"
	[[ $(jq -r .status <<<"$output") == stopped ]]
	[[ ! -e $record/ended ]]
	config "$(order poweroff)"
	"$ocivirt" run --bundle "$bundle" --root "$root" >"$BATS_TEST_TMPDIR/second.out" 2>"$BATS_TEST_TMPDIR/second" 3>&- &
	second=$!
	wait_for 'waiting for the ocivirt whose VM has ended' "$BATS_TEST_TMPDIR/second"
	touch "$record/go"
	wait "$second"
	[[ -e $record/ended ]]
	pid=$first
	finish
	expect_status 0
}

@test "a stop and a start, one after the other" {
	config "$(order wait)"
	local before=() i
	for i in {1..4}; do
		start
		wait_for '^guest: listening'
		"$ocivirt" stop --root "$root"
		before+=("$pid")
	done
	wait "${before[@]}"
}
