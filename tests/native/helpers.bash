# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the native tests share. Each test has a folder of its own with a bundle in it, a root directory, and whatever
# its ocivirt says: $out is the guest's console, $err ocivirt's own words.

source "$BATS_TEST_DIRNAME/../common.bash"

project=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
ocivirt=${OCIVIRT:-$project/build/ocivirt}
guest=$project/build/guest

# Under TCG, with other tests beside it, a guest has its time.
: "${PATIENCE:=240}"

common_setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	out=$BATS_TEST_TMPDIR/out
	err=$BATS_TEST_TMPDIR/err
	# Short: the sockets below it must stay under 108 bytes.
	root=$(mktemp -d /tmp/ocivirt-test.XXXXXX)
	mkdir -p "$bundle"
	unset "${!OCIVIRT_@}" NO_COLOR
	# What ocivirt is started by: "ip netns exec NAME".
	within=()
	watch_checkers
}

# What sanitizers have to say goes to files, since the engine that they speak of may be followed by
# another one, as if nothing had been.
watch_checkers() {
	mkdir -m 1777 "$BATS_TEST_TMPDIR/reports"
	chmod 711 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" # for plain users
	reports=$BATS_TEST_TMPDIR/reports/report
	# A SIGSEGV from a test is to end the engine as any other signal does.
	local options="log_path=$reports:handle_segv=0"
	export G_SLICE=always-malloc
	# A thread's variables that begin 16 bytes after a page LeakSanitizer takes for those of an old libc, reads nonsense
	# before them, and crashes: GCC 12's. Where they begin depends on the redzone, and is the same at each run.
	export ASAN_OPTIONS=$options:redzone=$((16 << BATS_TEST_TRY_NUMBER)) UBSAN_OPTIONS=$options:print_stacktrace=1
	export TSAN_OPTIONS=$options:report_thread_leaks=0:atexit_sleep_ms=0:suppressions=$BATS_TEST_DIRNAME/tsan.supp
	export LSAN_OPTIONS=suppressions=$BATS_TEST_DIRNAME/lsan.supp:print_suppressions=0
	[[ ${VALGRIND-} ]] || return 0
	export LD_PRELOAD=$project/$BUILD/tests/native/valgrind.so
	export VALGRIND_OPTS="--quiet --leak-check=no --show-leak-kinds=definite --num-callers=30 --vex-iropt-level=1 --fair-sched=yes
		--suppressions=$BATS_TEST_DIRNAME/valgrind.supp --log-file=$reports.%p"
}

# Whether none of them has said anything; else what.
checkers_are_content() {
	local report said=
	for report in "$reports"*; do
		# Between two hyphens valgrind speaks of itself.
		[[ ! -s $report ]] || said+=$(grep -v '^--[0-9]*-- ' "$report" | head -n 60)
	done
	[[ -n $said ]] || return 0
	echo "$said"
	# It has looked at nothing, and spoilt the exit status: the test is begun again, with another redzone.
	[[ $said != *'LeakSanitizer has encountered a fatal error'* ]] || BATS_TEST_RETRIES=2
	return 1
}

# The processes that belong to the root directory: by their arguments, or since what they say goes to a log in there.
left_behind() {
	pgrep -f -- "$root" || true
	local fd
	for fd in /proc/[0-9]*/fd/2; do
		[[ $(readlink "$fd") != "$root"/* ]] || { fd=${fd#/proc/} && echo "${fd%%/*}"; }
	done
}

# Nothing may be left behind, however a test ended: whatever is left fails it.
common_teardown() {
	local left
	tell_of_failure
	[[ -z ${pid-} ]] || kill -KILL "$pid" 2>/dev/null || true
	for _ in {1..50}; do
		left=$(left_behind)
		[[ -n $left ]] || break
		sleep 0.1
	done
	if [[ -n $left ]]; then
		echo "left behind: $(ps -o pid,args -p "${left//$'\n'/,}")"
		xargs kill -KILL <<<"$left" 2>/dev/null || true
	fi
	rm -rf "$root"
	[[ -z $left ]]
	checkers_are_content
}

# What is known of QEMU, for a root directory that is made here: libvirt keeps it by QEMU's path, which is below the root
# directory. Tests of that set $cold.
prime_root() {
	local file=$BATS_TEST_TMPDIR/capabilities folder=$root/cache/qemu/capabilities name
	[[ -z ${cold-} && ! -e $root/cache ]] || return 0
	mkdir -p "$folder"
	for name in "$PRIMED"/cache/qemu/capabilities/*.xml; do
		sed "s|<emulator>$PRIMED/|<emulator>$root/|" "$name" >"$file"
		name=$(sed -n 's|.*<emulator>\(.*\)</emulator>.*|\1|p' "$file" | tr -d '\n' | sha256sum)
		mv "$file" "$folder/${name%% *}.xml"
	done
}

# config FILTER...: writes the bundle's config.json: a small guest with a kernel and no network, changed by jq filters.
# The kernel is silent, but for warnings, since what it says would be time, too; $kernel_messages is the filter to hear it.
kernel_messages='.vm.kernel.parameters -= ["quiet"]'
config() {
	local filter=.
	for part; do
		filter+=" | $part"
	done
	jq -n --arg guest "$guest" --argjson fast "$(fast_parameters)" '{
		ociVersion: "1.3.0",
		annotations: {"org.ocivirt.accel": "tcg", "org.ocivirt.memory": "128M", "org.ocivirt.cpus": "1", "org.ocivirt.stop-timeout": "20s",
			"org.ocivirt.network": "none"},
		vm: {kernel: {path: "\($guest)/vmlinux", initrd: "\($guest)/initrd.img", parameters: ($fast + ["quiet"])}}
	}' | jq "$filter" >"$bundle/config.json"
}

# start [OPTION...]: ocivirt in the background.
start() {
	prime_root
	# Here, and not by the redirections, which come a moment later: nobody may find an earlier run's words.
	: >"$out"
	: >"$err"
	"${within[@]}" "$ocivirt" run --bundle "$bundle" --root "$root" "$@" >"$out" 2>"$err" <"${typed:-/dev/null}" 3>&- &
	pid=$!
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

# full COMMAND...: whatever it prints finds no room.
full() {
	"$@" >/dev/full
}

# Before start: the guest's console gets what is written to descriptor 9.
type_to_guest() {
	typed=$BATS_TEST_TMPDIR/typed
	mkfifo "$typed"
	exec 9<>"$typed"
}

# in_guest COMMAND: has the guest's shell do it, once it is ready; what it says is in $output, and its exit status in
# $status.
in_guest() {
	local before
	before=$(grep -ac '^guest: run ended' "$out" || true)
	printf "order run '%s'\n" "$1" >&9
	local deadline=$((SECONDS + PATIENCE))
	until [[ $(grep -ac '^guest: run ended' "$out") -gt $before ]]; do
		((SECONDS < deadline)) || {
			echo "the guest does not end: $1"
			tail -n 20 "$out"
			return 1
		}
		sleep 0.1
	done
	# What belongs to this run: the lines since the end of the one before.
	output=$(tr -d '\r' <"$out" | awk -v before="$before" '/^guest: run ended/ { n++ } n == before && sub(/^guest: run: /, "")')
	status=$(tr -d '\r' <"$out" | sed -n 's/^guest: run ended //p' | tail -n 1)
}

# finish: waits for it; $status is its exit status.
finish() {
	local deadline=$((SECONDS + PATIENCE))
	while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do
		sleep 0.05
	done
	if kill -0 "$pid" 2>/dev/null; then
		echo "ocivirt does not end"
		return 1
	fi
	status=0
	wait "$pid" || status=$?
	pid=
}

# wait_for PATTERN [FILE]: until the extended regular expression stands in the file. Who looked more often would take the
# guests' processor time.
wait_for() {
	local file=${2:-$out} deadline=$((SECONDS + PATIENCE)) over=
	until grep -qaE -- "$1" "$file" 2>/dev/null; do
		# What ocivirt has not said when it ends it will not say.
		if [[ -n $over ]] || ((SECONDS >= deadline)); then
			echo "no \"$1\" in $file:"
			tail -n 20 "$file"
			return 1
		fi
		[[ -z ${pid-} ]] || kill -0 "$pid" 2>/dev/null || over=1
		sleep 0.1
	done
}

# QEMU's pid, once the guest runs.
qemu_pid() {
	jq .qemuPid "$root/instance.json"
}

engine_pid() {
	pgrep -P "$pid" -f -- "$root" | while read -r child; do
		[[ $(<"/proc/$child/comm") != ocivirt-engine ]] || echo "$child"
	done
}
