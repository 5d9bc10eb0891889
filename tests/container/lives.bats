#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A container that is killed and started again has a new PID namespace, in which the pids that its last life wrote down
# are those of others.

: "${LIVES:=6}"

setup() {
	load helpers
	common_setup
}

teardown() {
	common_teardown
}

@test "killed and started again, over and over, no stranger is signalled" {
	config "$(order count)"
	# Every other life has decoys where the one before had QEMU and everything else.
	cat >"$bundle/entry" <<-'END'
		#!/bin/sh
		life=$(($(cat /tmp/life 2>/dev/null || echo 0) + 1))
		echo $life >/tmp/life
		[ $((life % 2)) -eq 1 ] || for i in $(seq 60); do sleep 1000000 & done
		exec ocivirt run
	END
	chmod 755 "$bundle/entry"
	podman run --detach --name "$name" -v "$bundle:/etc/ocivirt:ro" --entrypoint /etc/ocivirt/entry "$image" >/dev/null
	local life pid qemu decoys
	for ((life = 1; life <= LIVES; life++)); do
		logs_since=${logs_since:-}
		wait_for 'guest running after'
		pid=$(podman inspect "$name" --format '{{.State.Pid}}')
		decoys=$(pgrep -c -P "$pid" -x sleep || true)
		((life % 2)) || [[ $decoys -eq 60 ]]
		qemu=$(podman exec "$name" sed -n 's/.*"qemuPid": \([0-9]*\).*/\1/p' /var/lib/ocivirt/instance.json)
		((life % 2)) && [[ $qemu -lt 60 ]] || ((life % 2 == 0))
		has_not 'error:' "$err"
		podman kill --signal KILL "$name" >/dev/null
		[[ $(podman wait "$name") -eq 137 ]]
		logs_since=$(date -u +%FT%T.%NZ)
		podman start "$name" >/dev/null
	done
	wait_for '^guest: count [0-9]'
	podman stop "$name" >/dev/null
	[[ $(podman inspect "$name" --format '{{.State.ExitCode}}') -eq 0 ]]
}
