#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# podman stop, podman kill, and exit statuses as podman sees them.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

@test "podman stop: a guest that listens sees the power button; status 0" {
	config "$(order wait)"
	start
	wait_for '^guest: listening'
	podman stop "$name" >/dev/null
	finish
	expect_status 0
	has '^guest: power button'
	has 'the guest powered off' "$err"
}

@test "podman stop: a guest that does not is ended at stop-timeout; status 137" {
	config "$(order ignore)" "$(annotate stop-timeout 3s)"
	start
	wait_for '^guest: ready'
	local asked
	asked=$(now_ms)
	podman stop "$name" >/dev/null
	at_most 9500 "$asked" # podman kills after 10 s
	finish
	expect_status 137
	has 'stop-timeout and was ended: QEMU got SIGTERM' "$err"
}

@test "the usual stop-timeout ends before podman's own patience does" {
	config "$(order ignore)"
	start
	wait_for '^guest: ready'
	podman stop "$name" >/dev/null
	finish
	expect_status 137
	has 'stop-timeout and was ended: QEMU got SIGTERM' "$err"
}

@test "a second SIGTERM ends it at once" {
	config "$(order ignore)" "$(annotate stop-timeout 60s)"
	start
	wait_for '^guest: ready'
	podman kill --signal TERM "$name" >/dev/null
	wait_for '^guest: power button'
	sleep 0.2 # two that come together are one
	local asked
	asked=$(now_ms)
	podman kill --signal TERM "$name" >/dev/null
	finish
	at_most 30000 "$asked"
	expect_status 137
	has 'at once, as asked' "$err"
}

@test "a stop during the start ends cleanly" {
	config "$(order wait)" "$(annotate stop-timeout 1s)"
	local deadline
	for delay in 0 0.05 0.1 0.2 0.5; do
		rm -f "$BATS_TEST_TMPDIR/pid"
		start --pidfile "$BATS_TEST_TMPDIR/pid"
		# Before PID 1 has blocked SIGTERM the kernel drops it; one that comes later must not be lost.
		deadline=$((SECONDS + PATIENCE))
		until [[ $(<"/proc/$(<"$BATS_TEST_TMPDIR/pid")/status") =~ ^Name:.ocivirt.*SigBlk:.([0-9a-f]+) ]] &&
			((16#${BASH_REMATCH[1]} & 1 << 14)); do
			((SECONDS < deadline))
			sleep 0.01
		done
		sleep $delay
		podman kill --signal TERM "$name" >/dev/null
		finish
		[[ $status -eq 0 || $status -eq 137 ]]
		podman rm "$name" >/dev/null
	done
}

@test "a panic is status 134, QEMU's SIGSEGV 139, on-reboot=exit 0" {
	config "$(order panic)"
	run_vm --rm
	expect_status 134
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	pkill -SEGV -P "$(podman inspect "$name" --format '{{.State.Pid}}')" qemu-system
	finish
	expect_status 139
	podman rm "$name" >/dev/null
	config "$(order reboot)" "$(annotate on-reboot exit)"
	run_vm --rm
	expect_status 0
	has_not '^guest: boot 2'
}

@test "a container that was killed starts again, and believes no old pid" {
	config "$(order wait)"
	start
	for _ in 1 2 3; do
		wait_for '^guest: ready'
		podman kill --signal KILL "$name" >/dev/null
		podman wait "$name" >/dev/null
		podman start "$name" >/dev/null
		# podman keeps the log of all lives.
		sleep 1
	done
	podman stop "$name" >/dev/null
	finish
	[[ $status -eq 0 || $status -eq 137 ]]
}

@test "a second ocivirt in the container is status 75" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	run -75 podman exec "$name" ocivirt
	[[ $output == *"in use by ocivirt with pid 1"* ]]
	podman stop "$name" >/dev/null
}

@test "on a terminal (podman run -it) the guest's shell works, and the terminal is sane after leaving and after a kill" {
	config "$(order shell)"
	for case in leave kill; do
		expect "$BATS_TEST_DIRNAME/tty.exp" $case "$name" "$project/hack/podman" run --rm -it --name "$name" \
			-v "$bundle:/etc/ocivirt:ro" "$image"
	done
}

@test "as a Kubernetes pod: kube play, restricted, and its stop" {
	config "$(order wait)"
	sed -e "s|@NAME@|$name|; s|@IMAGE@|$image|; s|@BUNDLE@|$bundle|" "$BATS_TEST_DIRNAME/pod.yaml" >"$BATS_TEST_TMPDIR/pod.yaml"
	podman kube play "$BATS_TEST_TMPDIR/pod.yaml" >/dev/null
	name=$name-pod-vm wait_for '^guest: ready'
	podman kube down "$BATS_TEST_TMPDIR/pod.yaml" >/dev/null
	run ! podman container exists "$name-pod-vm"
}
