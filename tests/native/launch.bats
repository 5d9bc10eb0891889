#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What becomes of QEMU's process before it is QEMU, and what libvirt remembers of which QEMU.

load helpers
setup() {
	common_setup
	cold=1
}
teardown() {
	[[ -z ${namespace-} ]] || ip netns delete "$namespace"
	[[ -z ${holder-} ]] || kill "$holder"
	common_teardown
}

# Until the guest runs; $qemu is QEMU's pid.
start_guest() {
	start
	wait_for 'guest running' "$err"
	qemu=$(qemu_pid)
}

stop_guest() {
	kill -QUIT "$pid"
	finish
	expect_status 137
}

# status_of PID FIELD
status_of() {
	awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"
}

# limit_of PID NAME: soft and hard.
limit_of() {
	awk -v name="$2" 'index($0, name) == 1 { print $(NF - 2), $(NF - 1) }' "/proc/$1/limits"
}

# A QEMU that writes down how it is called: a line for each. libvirt probes with -machine none.
make_counting_qemu() {
	counting=$BATS_TEST_TMPDIR/qemu
	calls=$BATS_TEST_TMPDIR/calls
	printf '#!/bin/sh\n# %s\necho "$*" >>"%s"\nexec qemu-system-x86_64 "$@"\n' "$1" "$calls" >"$counting.new"
	chmod 755 "$counting.new"
	mv "$counting.new" "$counting"
	: >"$calls"
}

probes() {
	grep -c -- '-machine none' "$calls" || true
}

# What libvirt has found out, and when.
cache_files() {
	stat -c '%n %i %Z' "$root"/cache/qemu/capabilities/*
}

# A copy of ocivirt of which a test can change parts.
copy_ocivirt() {
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	cp "$ocivirt" "$ocivirt-launch" "$BATS_TEST_TMPDIR/bin"
	ocivirt=$BATS_TEST_TMPDIR/bin/ocivirt
}

@test "QEMU is itself: its path, its pid, its name; and it gains no privileges" {
	config
	start_guest
	[[ $(tr '\0' '\n' <"/proc/$qemu/cmdline" | head -n 1) == "$(command -v qemu-system-x86_64)" ]]
	[[ $(readlink "/proc/$qemu/exe") == "$(realpath "$(command -v qemu-system-x86_64)")" ]]
	[[ $(<"/proc/$qemu/comm") == qemu-system-x86 ]]
	[[ $(status_of "$qemu" NoNewPrivs) == 1 ]]
	[[ $(limit_of "$qemu" 'Max core file size') == '0 0' ]]
	stop_guest
}

@test "QEMU has its own seccomp filter and ours, or its own alone; ocivirt has none" {
	local ours
	ours=$(status_of self Seccomp_filters)
	config
	start_guest
	[[ $(status_of "$qemu" Seccomp) == 2 ]]
	[[ $(status_of "$qemu" Seccomp_filters) == $((ours + 2)) ]]
	[[ $(status_of "$pid" Seccomp_filters) == "$ours" ]]
	[[ $(status_of "$(engine_pid)" Seccomp_filters) == "$ours" ]]
	stop_guest
	config "$(annotate seccomp off)"
	start_guest
	[[ $(status_of "$qemu" Seccomp_filters) == $((ours + 1)) ]]
	stop_guest
}

@test "linux.seccomp is in force for QEMU from its first instruction, and for its probes" {
	cat >"$BATS_TEST_TMPDIR/qemu" <<-END
		#!/usr/bin/python3
		import os, socket, sys
		try:
		    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		    errno = 0
		except OSError as error:
		    errno = error.errno
		print(errno, "probe" if "none,accel" in " ".join(sys.argv) else "run", file=open("$BATS_TEST_TMPDIR/said", "a"))
		os.execvp("qemu-system-x86_64", sys.argv)
	END
	chmod 755 "$BATS_TEST_TMPDIR/qemu"
	config ".vm.hypervisor = {path: \"$BATS_TEST_TMPDIR/qemu\"}" \
		'.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["socket"], action: "SCMP_ACT_ERRNO",
			errnoRet: 99, args: [{index: 0, value: 17, op: "SCMP_CMP_EQ"}]}]}'
	start_guest
	stop_guest
	[[ $(sort -u "$BATS_TEST_TMPDIR/said") == $'99 probe\n99 run' ]]
}

@test "limits and priorities are QEMU's alone" {
	config '.process = {cwd: "/", args: ["sh"], oomScoreAdj: 321,
		rlimits: [{type: "RLIMIT_NOFILE", soft: 500, hard: 600}, {type: "RLIMIT_CORE", soft: 0, hard: 4096}],
		ioPriority: {class: "IOPRIO_CLASS_BE", priority: 7}, scheduler: {policy: "SCHED_BATCH", nice: 3}}'
	start_guest
	has_not 'warning' "$err"
	# QEMU itself raises the soft limit, from version 9.1 on.
	[[ $(limit_of "$qemu" 'Max open files') == [56]'00 600' ]]
	[[ $(limit_of "$qemu" 'Max core file size') == '0 4096' ]]
	[[ $(<"/proc/$qemu/oom_score_adj") == 321 ]]
	[[ $(ionice -p "$qemu") == 'best-effort: prio 7' ]]
	[[ $(chrt -p "$qemu") == *SCHED_BATCH* ]]
	[[ $(ps -o nice= -p "$qemu") -eq 3 ]]
	local engine process
	engine=$(engine_pid)
	for process in "$pid" "$engine"; do
		[[ $(limit_of "$process" 'Max open files') == "$(limit_of self 'Max open files')" ]]
		[[ $(<"/proc/$process/oom_score_adj") == "$(</proc/self/oom_score_adj)" ]]
		[[ $(chrt -p "$process") == *SCHED_OTHER* ]]
	done
	stop_guest
}

@test "a plain user's hard limit cannot be raised, which is told; the guest runs all the same" {
	config '.process = {cwd: "/", args: ["sh"], oomScoreAdj: -1000, scheduler: {policy: "SCHED_FIFO", priority: 5},
		rlimits: [{type: "RLIMIT_NOFILE", soft: 1000, hard: 900000}]}'
	chmod 711 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
	chown -R 1000 "$root"
	: >"$out"
	: >"$err"
	prlimit --nofile=2000:5000 setpriv --reuid 1000 --regid 1000 --clear-groups \
		"$ocivirt" run --bundle "$bundle" --root "$root" >"$out" 2>"$err" </dev/null 3>&- &
	pid=$!
	wait_for 'guest running' "$err"
	qemu=$(qemu_pid)
	[[ $(limit_of "$qemu" 'Max open files') == [15]'000 5000' ]]
	has 'warning: process.rlimits: RLIMIT_NOFILE cannot be raised beyond 5000.*CAP_SYS_RESOURCE' "$err"
	has 'warning: process.oomScoreAdj: cannot be set to -1000' "$err"
	has 'warning: process.scheduler: cannot use policy 1, priority 5' "$err"
	# QEMU was started to be probed as well, which is no news.
	[[ $(grep -c warning "$err") -eq 3 ]]
	stop_guest
}

@test "an unchanged QEMU is probed once, another one under its name anew" {
	make_counting_qemu first
	config ".vm.hypervisor = {path: \"$counting\"}"
	start_guest
	stop_guest
	[[ $(probes) -ge 1 ]]
	: >"$calls"
	start_guest
	stop_guest
	[[ $(probes) -eq 0 ]]

	make_counting_qemu 'second, of another size'
	start_guest
	stop_guest
	[[ $(probes) -ge 1 ]]
	# What libvirt knew of the first is gone.
	[[ $(find "$root/cache" -name '*.xml' | wc -l) -eq 1 ]]
}

@test "a QEMU that was upgraded is probed anew, as is all after ocivirt was" {
	local qemu_copy=$BATS_TEST_TMPDIR/bin/qemu-system-x86_64 cached
	copy_ocivirt
	# QEMU looks for its modules and firmware beside itself.
	ln -s /usr/lib /usr/share "$BATS_TEST_TMPDIR"
	cp "$(command -v qemu-system-x86_64)" "$qemu_copy"
	config ".vm.hypervisor = {path: \"$qemu_copy\"}"
	start_guest
	stop_guest
	cached=$(cache_files)

	start_guest
	stop_guest
	[[ $(cache_files) == "$cached" ]]

	cp --remove-destination "$(command -v qemu-system-x86_64)" "$qemu_copy"
	start_guest
	stop_guest
	[[ $(cache_files) != "$cached" ]]
	cached=$(cache_files)

	sleep 1.1 # libvirt looks at whole seconds
	cp --remove-destination "$ocivirt-launch" "$BATS_TEST_TMPDIR/new"
	mv "$BATS_TEST_TMPDIR/new" "$ocivirt-launch"
	start_guest
	stop_guest
	[[ $(cache_files) != "$cached" ]]
}

@test "prime warms the cache for run, by the same path" {
	"$ocivirt" prime --root "$root"
	local cached
	cached=$(cache_files)
	config
	start_guest
	[[ $(cache_files) == "$cached" ]]
	"$ocivirt" xml --bundle "$bundle" --root "$root" | grep -q "<emulator>$root/etc/[0-9a-f]*/qemu-system-"
	stop_guest
}

@test "a root directory on a file system that nothing can be executed from" {
	mount -t tmpfs -o noexec,nosuid,nodev none "$root"
	config "$(order poweroff)"
	start
	finish
	umount "$root"
	expect_status 0
}

@test "QEMU in another network namespace" {
	namespace=ocivirt-test-$$
	ip netns add "$namespace"
	config ".linux.namespaces = [{type: \"network\", path: \"/run/netns/$namespace\"}]"
	start_guest
	[[ $(stat -L -c %i "/proc/$qemu/ns/net") == "$(stat -L -c %i "/run/netns/$namespace")" ]]
	[[ $(readlink "/proc/$pid/ns/net") == "$(readlink /proc/self/ns/net)" ]]
	stop_guest
}

@test "QEMU in another network namespace, in a user namespace that the present one is not of: nobody could come back" {
	unshare --user --net sleep 600 3>&- &
	holder=$!
	until [[ $(readlink "/proc/$holder/ns/net") != "$(readlink /proc/self/ns/net)" ]]; do sleep 0.02; done
	# All as they are: libvirt sets groups.
	tee "/proc/$holder/"{u,g}id_map <<<"0 0 65536"
	within=(nsenter --target "$holder" --user)
	config ".linux.namespaces = [{type: \"network\", path: \"/proc/$holder/ns/net\"}]"
	start_guest
	[[ $(readlink "/proc/$qemu/ns/net") == "$(readlink "/proc/$holder/ns/net")" ]]
	[[ $(readlink "/proc/$pid/ns/net") == "$(readlink /proc/self/ns/net)" ]]
	stop_guest
}

@test "a network namespace that only a privileged user can join: status 69" {
	config ".linux.namespaces = [{type: \"network\", path: \"/proc/self/ns/net\"}]"
	chmod 711 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
	chown -R 1000 "$root"
	run -69 setpriv --reuid 1000 --regid 1000 --clear-groups --bounding-set -all \
		"$ocivirt" run --bundle "$bundle" --root "$root" </dev/null
	[[ $output == *'needs capability CAP_SYS_ADMIN'*'--network ns:PATH'* ]]
}

@test "an installation without the launcher, or with one that cannot be executed: status 69" {
	copy_ocivirt
	config
	rm "$ocivirt-launch"
	start
	finish
	expect_status 69
	has "is not there: neither $ocivirt-launch nor $BATS_TEST_TMPDIR/libexec/ocivirt-launch" "$err"
	run -69 "$ocivirt" prime --root "$root"
	: >"$ocivirt-launch"
	start
	finish
	expect_status 69
	has "cannot execute $ocivirt-launch.*: Permission denied" "$err"
}

@test "the launcher is found where both are installed" {
	copy_ocivirt
	mkdir "$BATS_TEST_TMPDIR/libexec"
	mv "$ocivirt-launch" "$BATS_TEST_TMPDIR/libexec"
	config "$(order poweroff)"
	start
	finish
	expect_status 0
}

@test "what the launcher fails at is told in its words: status 69" {
	copy_ocivirt
	mv "$ocivirt-launch" "$ocivirt-real"
	cat >"$ocivirt-launch" <<-END
		#!/bin/bash
		truncate --size 100 "\$(dirname "\$0")/plan"
		exec -a "\$0" "$ocivirt-real" "\$@"
	END
	chmod 755 "$ocivirt-launch"
	config
	start
	finish
	expect_status 69
	has "cannot start QEMU: the plan for QEMU's process is damaged, or another version's" "$err"
	run -69 "$ocivirt" prime --root "$root"
	[[ $output == *"the plan for QEMU's process is damaged"* ]]
}

@test "what QEMU fails at is told by its own name, not by the launcher's path" {
	printf '#!/bin/sh\necho no thanks >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/qemu"
	chmod 755 "$BATS_TEST_TMPDIR/qemu"
	config ".vm.hypervisor = {path: \"$BATS_TEST_TMPDIR/qemu\"}"
	start
	finish
	expect_status 70
	has "$BATS_TEST_TMPDIR/qemu.*no thanks" "$err"
	has_not "$root/etc/" "$err"
}
