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
: "${PATIENCE:=60}"

common_setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	out=$BATS_TEST_TMPDIR/out
	err=$BATS_TEST_TMPDIR/err
	# Short: the sockets below it must stay under 108 bytes.
	root=$(mktemp -d /tmp/ocivirt-test.XXXXXX)
	mkdir -p "$bundle"
	unset "${!OCIVIRT_@}" NO_COLOR
}

# Nothing may be left behind, however a test ended: whatever is left fails it.
common_teardown() {
	local left
	[[ -z ${pid-} ]] || kill -KILL "$pid" 2>/dev/null || true
	for _ in {1..50}; do
		left=$(pgrep -f -- "$root" || true)
		[[ -n $left ]] || break
		sleep 0.1
	done
	if [[ -n $left ]]; then
		echo "left behind: $(ps -o pid,args -p "${left//$'\n'/,}")"
		pkill -KILL -f -- "$root" || true
	fi
	rm -rf "$root"
	[[ -z $left ]]
}

# config FILTER...: writes the bundle's config.json: a small guest with a kernel, changed by jq filters.
config() {
	local filter=.
	for part; do
		filter+=" | $part"
	done
	jq -n --arg guest "$guest" '{
		ociVersion: "1.3.0",
		annotations: {"org.ocivirt.accel": "tcg", "org.ocivirt.memory": "128M", "org.ocivirt.cpus": "1"},
		vm: {kernel: {path: "\($guest)/vmlinuz", initrd: "\($guest)/initrd.img", parameters: []}}
	}' | jq "$filter" >"$bundle/config.json"
}

# start [OPTION...]: ocivirt in the background.
start() {
	# Here, and not by the redirections, which come a moment later: nobody may find an earlier run's words.
	: >"$out"
	: >"$err"
	"$ocivirt" run --bundle "$bundle" --root "$root" "$@" >"$out" 2>"$err" </dev/null 3>&- &
	pid=$!
}

# finish: waits for it; $status is its exit status.
finish() {
	local deadline=$((SECONDS + PATIENCE))
	while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do
		sleep 0.02
	done
	if kill -0 "$pid" 2>/dev/null; then
		echo "ocivirt does not end"
		return 1
	fi
	status=0
	wait "$pid" || status=$?
	pid=
}

# wait_for PATTERN [FILE]: until the extended regular expression stands in the file.
wait_for() {
	local file=${2:-$out} deadline=$((SECONDS + PATIENCE))
	until grep -qaE -- "$1" "$file" 2>/dev/null; do
		if ((SECONDS >= deadline)); then
			echo "no \"$1\" in $file:"
			tail -n 20 "$file"
			return 1
		fi
		sleep 0.02
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
