#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# How engines see that a VM is well: a health check, a pod's probes, and a port.

load helpers

# Checks are run by hand: timers for them take a systemd.
export DISABLE_HC_SYSTEMD=true

setup() { common_setup; }

teardown() {
	[[ ! -e $BATS_TEST_TMPDIR/pod.yaml ]] || podman kube down "$BATS_TEST_TMPDIR/pod.yaml" >/dev/null 2>&1 || true
	common_teardown
}

# healthy_within CONTAINER: until its health check is passed.
healthy_within() {
	local deadline=$((SECONDS + PATIENCE))
	until podman healthcheck run "$1"; do
		((SECONDS < deadline))
		sleep 0.2
	done
}

@test "podman's health check: not ready, ready, paused, and its log has the line" {
	config "$(order wait)"
	start --interactive -e 'OCIVIRT_READY=console:^guest: run: well' --health-cmd 'ocivirt health' --health-interval disable \
		--health-retries 1
	wait_for '^guest: ready'
	run -1 podman healthcheck run "$name"
	echo "order run 'echo well'" | podman attach --no-stdin=false "$name" >/dev/null &
	healthy_within "$name"
	podman exec "$name" ocivirt pause
	run -1 podman healthcheck run "$name"
	[[ $(podman inspect "$name" --format '{{json .State}}' | jq -r '(.Health // .Healthcheck).Log[-1].Output') == *'the guest is paused'* ]]
	podman exec "$name" ocivirt resume
	podman healthcheck run "$name"
	podman stop "$name" >/dev/null
	finish
	expect_status 0
}

@test "a read-only container without any privilege, probed by HTTP from outside" {
	config "$(order wait)" "$(annotate ready 'console:^guest: listening')" "$(annotate http :9100)"
	start --user 1000 --cap-drop=all --security-opt=no-new-privileges --read-only --tmpfs /tmp
	wait_for 'guest running after'
	local address
	address=$(podman inspect "$name" --format '{{.NetworkSettings.IPAddress}}'):9100
	[[ $(fetch "http://$address/healthz") == live ]]
	wait_for '^guest: listening'
	local deadline=$((SECONDS + PATIENCE))
	until [[ $(fetch "http://$address/readyz") == ready ]]; do
		((SECONDS < deadline))
		sleep 0.1
	done
	fetch "http://$address/metrics" | "$project/tests/native/metrics.py"
	# Nothing but these comes in by the network.
	[[ $(fetch "http://$address/v1/kill" -o /dev/null -w '%{http_code}' -X POST) == 404 ]]
	podman exec "$name" ocivirt health --startup
	podman stop "$name" >/dev/null
	finish
	expect_status 0
}

@test "a pod's probes that execute health, as kube play has them" {
	config "$(order wait)" "$(annotate ready 'console:^guest: listening')"
	# The liveness probe becomes podman's health check; the others are Kubernetes' alone.
	sed -e "s|@NAME@|$name|; s|@IMAGE@|$image|; s|@BUNDLE@|$bundle|" "$BATS_TEST_DIRNAME/pod.yaml" |
		sed '/^      imagePullPolicy:/a\
      startupProbe:\
        exec: { command: [ocivirt, health, --startup] }\
      readinessProbe:\
        exec: { command: [ocivirt, health] }\
      livenessProbe:\
        exec: { command: [ocivirt, health, --live] }\
        periodSeconds: 10\
        timeoutSeconds: 5' >"$BATS_TEST_TMPDIR/pod.yaml"
	podman kube play "$BATS_TEST_TMPDIR/pod.yaml" >/dev/null
	name=$name-pod-vm
	wait_for 'guest running after'
	podman healthcheck run "$name"
	# What the kubelet would do for the others.
	healthy_by() {
		local deadline=$((SECONDS + PATIENCE))
		until podman exec "$name" ocivirt health "$@"; do
			((SECONDS < deadline))
			sleep 0.2
		done
	}
	healthy_by --startup
	healthy_by --ready
	podman exec "$name" ocivirt pause
	run -1 podman exec "$name" ocivirt health
	[[ $output == *'not ready: the guest is paused'* ]]
	podman healthcheck run "$name"
}
