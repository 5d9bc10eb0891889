#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# ocivirt state: the state object of the runtime-spec, told by the engine, or read where nobody answers.

load helpers
setup() { common_setup; }
teardown() {
	[[ -z ${private-} ]] || rm -rf "$private"
	common_teardown
}

# state [OPTION...]: of the test's root directory, as $state, which must be as state-schema.json has it.
state() {
	state=$("$ocivirt" state --root "$root" "$@")
	jq -e '(.ociVersion | test("^1\\.[0-9]+\\.[0-9]+")) and (.id | type == "string")
		and (.status | IN("creating", "created", "running", "stopped")) and (.bundle | startswith("/"))
		and ((has("pid") | not) or (.pid | type == "number" and . > 0 and . == floor))
		and (.annotations | type == "object" and all(.[]; type == "string"))
		and (.status == "stopped") != has("pid")' <<<"$state" >/dev/null && return
	echo "not as it should be: $state"
	return 1
}

field() {
	jq -r "$1" <<<"$state"
}

@test "of a guest that runs, is paused, and is gone" {
	config "$(order wait)" '.annotations["some.note"] = "a \"b\" ä"'
	start --id web
	wait_for '^guest: listening'
	state --format json
	[[ $(field '.status, .id, .bundle, .annotations["some.note"]' | paste -sd' ') == "running web $bundle a \"b\" ä" ]]
	[[ $(field .ociVersion) == 1.3.0 ]]
	[[ $(readlink "/proc/$(field .pid)/exe") == *qemu-system* ]]
	# What the engine tells has one member more than what is read where it does not answer.
	[[ $(field '.vm.lifecycle, .vm["guest-ran"]' | paste -sd' ') == "running true" ]]
	local told=$state
	mv "$root/control.sock" "$root/other.sock"
	state
	[[ $(jq -S 'del(.vm)' <<<"$told") == "$(jq -S . <<<"$state")" ]]
	mv "$root/other.sock" "$root/control.sock"
	kill -TSTP "$pid"
	sleep 0.5
	state
	[[ $(field .status) == running ]]
	kill -TERM "$pid"
	finish
	expect_status 0
	run -69 --separate-stderr "$ocivirt" state --root "$root"
	[[ -z $output ]]
	[[ $stderr == *"there is no VM in the root directory $root"* ]]
}

@test "after everything was killed the VM is stopped" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	local qemu engine
	qemu=$(qemu_pid)
	engine=$(engine_pid)
	kill -STOP "$engine"
	kill -KILL "$pid"
	wait "$pid" || true
	pid=
	# The guest runs on, whoever is gone.
	state
	[[ $(field .status) == running && $(field .pid) == "$qemu" ]]
	kill -KILL "$engine" "$qemu"
	while kill -0 "$qemu" 2>/dev/null; do sleep 0.05; done
	state
	[[ $(field .status) == stopped ]]
}

@test "a pid that has passed to another process is not believed" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	local now
	# Nobody answers: what is read counts.
	rm "$root/control.sock"
	now=$(jq '.qemuStartTime -= 1' "$root/instance.json")
	echo "$now" >"$root/instance.json"
	state
	[[ $(field .status) == stopped ]]
	now=$(jq '.bootId = "another"' "$root/instance.json")
	echo "$now" >"$root/instance.json"
	# Its pids mean nothing here, but the root directory is in use.
	state
	[[ $(field .status) == running ]]
	kill -TERM "$pid"
	finish
}

@test "seen from another PID namespace" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	state() { state=$(unshare --pid --fork --mount-proc "$ocivirt" state --root "$root"); }
	state
	[[ $(field .status) == running && $(field .pid) == "$(qemu_pid)" ]]
	cp "$root/instance.json" "$BATS_TEST_TMPDIR"
	kill -TERM "$pid"
	finish
	cp "$BATS_TEST_TMPDIR/instance.json" "$root"
	state
	[[ $(field .status) == stopped && $(field 'has("pid")') == false ]]
}

@test "the status has been written by the time that the guest is said to run" {
	config "$(order wait)"
	start
	until [[ -e $root/instance.json ]]; do sleep 0.002; done
	local seen='' last=''
	while ! grep -q 'guest running after' "$err"; do
		last=$(jq -r '.status' "$root/instance.json")
		[[ $seen == *"$last" ]] || seen+=" $last"
	done
	[[ $seen =~ ^(\ creating)?(\ created)?(\ running)?$ ]]
	for _ in {1..50}; do
		last=$(jq -r '.status' "$root/instance.json")
		[[ $last != running ]] || break
		sleep 0.02
	done
	[[ $last == running ]]
	kill -TERM "$pid"
	finish
}

@test "no VM, nothing that can be read, a wrong option: a status, and a reason" {
	run -69 "$ocivirt" state --root "$root/nowhere"
	[[ $output == *"there is no VM in the root directory $root/nowhere"* ]]
	echo '{' >"$root/instance.json"
	run -69 "$ocivirt" state --root "$root"
	run -64 "$ocivirt" state --root "$root" --format text
	[[ $output == *"can be json alone"* ]]
	run -64 "$ocivirt" state --bundle "$bundle"
	chmod 700 "$root"
	local copy
	copy=$(mktemp -d /tmp/ocivirt-test.XXXXXX)
	cp "$ocivirt" "$copy"
	chmod 755 "$copy"
	run -69 setpriv --reuid 65534 --regid 65534 --clear-groups "$copy/ocivirt" state --root "$root"
	rm -r "$copy"
	[[ $output == *"cannot read $root/instance.json: Permission denied"* ]]
}

# In a mount namespace with an empty /run, /tmp, /dev/shm and /var/tmp, and no usual root directory.
alone() {
	# shellcheck disable=SC2016 # the inner shell's own
	unshare --mount bash -euc 'for dir in /run /dev/shm /var/tmp /tmp; do mount -t tmpfs none $dir; done
		! mountpoint -q /var/lib && mount -t tmpfs none /var/lib
		eval "$1"' - "$1"
}

@test "without --root the directory is found, and no stranger's" {
	local copy=$BATS_TEST_TMPDIR/ocivirt
	cp "$ocivirt" "$copy"
	export ocivirt=/run/ocivirt-copy
	local json='{"id":"ID","bootId":"x","pidNamespace":1,"supervisorPid":1,"qemuPid":1,"qemuStartTime":1}'
	exec 5<"$copy"
	export json
	# shellcheck disable=SC2016 # the inner shell's own
	alone '
		cat <&5 >$ocivirt; chmod 755 $ocivirt
		own=/tmp/ocivirt-0123456789abcdef
		status=0; $ocivirt state 2>/run/err || status=$?
		[[ $status -eq 69 ]]
		grep -q "there is no VM: neither in the root directory /var/lib/ocivirt" /run/err

		# a directory of another user, a link, a name that is none of ours
		mkdir $own; echo "$json" >$own/instance.json; chown 65534 $own
		mkdir /run/elsewhere; echo "$json" >/run/elsewhere/instance.json
		ln -s /run/elsewhere /dev/shm/ocivirt-0123456789abcdef
		mkdir /run/ocivirt-0123; echo "$json" >/run/ocivirt-0123/instance.json
		mkdir /var/tmp/ocivirt-0123456789abcdef
		ln -s /run/elsewhere/instance.json /var/tmp/ocivirt-0123456789abcdef
		! $ocivirt state 2>/dev/null

		# ours
		chown 0 $own
		[[ $($ocivirt state | jq -r .id,.status | paste -sd" ") == "ID stopped" ]]

		# two
		cp -r $own /dev/shm/ocivirt-aaaaaaaaaaaaaaaa
		status=0; $ocivirt state 2>/run/err || status=$?
		[[ $status -eq 69 ]]
		grep -q "several root directories.*$own, /dev/shm/ocivirt-aaaaaaaaaaaaaaaa" /run/err

		# but one that lives
		exec 6</dev/shm/ocivirt-aaaaaaaaaaaaaaaa; flock -x 6
		[[ $($ocivirt state | jq -r .status) == running ]]
		exec 6<&-

		# and the usual one alone
		rm -r $own /dev/shm/ocivirt-*; mkdir /var/lib/ocivirt
		echo "${json/ID/usual}" >/var/lib/ocivirt/instance.json
		[[ $($ocivirt state | jq -r .id) == usual ]]
		[[ $(OCIVIRT_ROOT=/run/elsewhere $ocivirt state | jq -r .id) == ID ]]
	'
	exec 5<&-
}
