# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the container tests share: real podman, the real image, and its own small guest. $out is the container's
# standard output (the guest's console), $err its standard error (ocivirt's own words).

bats_require_minimum_version 1.5.0

project=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
image=${IMAGE:-localhost/ocivirt:latest}
: "${PATIENCE:=90}"

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
	podman rm --force --time 0 --ignore "$name" >/dev/null
}

# config FILTER...: writes the bundle's config.json: the image's guest, changed by jq filters.
config() {
	local filter=.
	for part; do
		filter+=" | $part"
	done
	jq -n '{
		ociVersion: "1.3.0",
		annotations: {"org.ocivirt.accel": "tcg", "org.ocivirt.memory": "160M", "org.ocivirt.cpus": "1"},
		vm: {kernel: {path: "/usr/share/ocivirt/guest/vmlinuz", initrd: "/usr/share/ocivirt/guest/initrd.img",
			parameters: ["cryptomgr.notests"]}}
	}' | jq "$filter" >"$bundle/config.json"
}

order() {
	echo ".vm.kernel.parameters += [\"guest.order=$1\"]"
}

annotate() {
	echo ".annotations[\"org.ocivirt.$1\"] = \"$2\""
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

logs() {
	podman logs "$name" >"$out" 2>"$err"
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

# finish: waits for the container; $status is its exit status.
finish() {
	status=$(timeout "$PATIENCE" "$project/hack/podman" wait "$name" 3>&-)
	logs
}

has() {
	grep -qaE -- "$1" "${2:-$out}" && return
	echo "no \"$1\" in ${2:-$out}:"
	tail -n 20 "${2:-$out}"
	return 1
}

has_not() {
	! has "$@" >/dev/null && return
	echo "\"$1\" in ${2:-$out}"
	return 1
}

expect_status() {
	[[ $status -eq $1 ]] && return
	echo "exit status $status instead of $1"
	tail -n 5 "$out"
	cat "$err"
	return 1
}

now_ms() {
	date +%s%3N
}

at_most() {
	local passed=$(($(now_ms) - $2))
	((passed <= $1)) && return
	echo "took $passed ms, more than $1"
	return 1
}
