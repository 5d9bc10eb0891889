# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the container tests share: real podman, the real image, and its own small guest. $out is the container's
# standard output (the guest's console), $err its standard error (ocivirt's own words).

source "$BATS_TEST_DIRNAME/../common.bash"

project=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
image=${IMAGE:-localhost/ocivirt:latest}
: "${PATIENCE:=300}"

podman() {
	"$project/hack/podman" "$@" 3>&-
}

common_setup() {
	name=ocivirt-test-$BATS_SUITE_TEST_NUMBER-$$
	bundle=$BATS_TEST_TMPDIR/bundle
	out=$BATS_TEST_TMPDIR/out
	err=$BATS_TEST_TMPDIR/err
	mkdir -p "$bundle"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "$bundle"
}

common_teardown() {
	# Where run_vm has removed the container, both files are there already.
	[[ -n ${BATS_TEST_COMPLETED-} ]] || ! podman container exists "$name" || logs || true
	tell_of_failure
	podman rm --force --time 0 --ignore "$name" >/dev/null
}

# What podman run gets for a container that may do nothing.
# shellcheck disable=SC2034 # the tests'
unprivileged=(--user 1000 --cap-drop=all --security-opt=no-new-privileges --read-only --tmpfs /tmp)

# The volume and the image that a test has made by its own name.
remove_made() {
	podman volume rm --force "$name" >/dev/null 2>&1 || true
	podman rmi --force "localhost/$name" >/dev/null 2>&1 || true
}

# config FILTER...: writes the bundle's config.json: the image's guest, changed by jq filters.
config() {
	local filter=.
	for part; do
		filter+=" | $part"
	done
	jq -n --argjson fast "$(fast_parameters)" '{
		ociVersion: "1.3.0",
		annotations: {"org.ocivirt.accel": "tcg", "org.ocivirt.memory": "160M", "org.ocivirt.cpus": "1"},
		vm: {kernel: {path: "/usr/share/ocivirt/guest/vmlinuz", initrd: "/usr/share/ocivirt/guest/initrd.img",
			parameters: $fast}}
	}' | jq "$filter" >"$bundle/config.json"
}

# start [PODMAN-OPTION...]: a container that boots the bundle, in the background.
start() {
	podman run --detach --name "$name" -v "$bundle:/etc/ocivirt:ro" "$@" "$image" >/dev/null
}

# run_vm [PODMAN-OPTION...]: the same in the foreground; sets $status.
run_vm() {
	status=0
	timeout "$PATIENCE" "$project/hack/podman" run --name "$name" -v "$bundle:/etc/ocivirt:ro" "$@" "$image" \
		>"$out" 2>"$err" </dev/null 3>&- || status=$?
}

# logs: into $out and $err, from $logs_since on, where that is set.
logs() {
	podman logs ${logs_since:+--since "$logs_since"} "$name" >"$out" 2>"$err"
}

# wait_for PATTERN: until the guest, or ocivirt, has said it.
wait_for() {
	local deadline=$((SECONDS + PATIENCE))
	until logs && grep -qaE -- "$1" "$out" "$err"; do
		if ((SECONDS >= deadline)); then
			echo "no \"$1\" in:"
			tail -n 20 "$out" "$err"
			return 1
		fi
		sleep 0.1
	done
}

# fetch URL [CURL-OPTION...]: from the container, as a client outside does. Whenever another container begins or ends the
# engine's bridge may get another MAC address, and until that is noticed what goes through it is lost.
fetch() {
	curl -sS --retry 30 --retry-all-errors --retry-delay 1 --max-time 5 "$@"
}

# finish: waits for the container; $status is its exit status.
finish() {
	status=$(timeout "$PATIENCE" "$project/hack/podman" wait "$name" 3>&-)
	logs
}
