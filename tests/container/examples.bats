#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The pods of examples/kubernetes, as they are but for their names.

load helpers
setup() {
	common_setup
	pod=$BATS_TEST_TMPDIR/pod.yaml
}
teardown() {
	[[ ! -e $pod ]] || podman kube down "$pod" >/dev/null 2>&1 || true
	podman volume rm --force "$name-vm-data" "$name-vm-config" "$name-vm-pages" "$name-vm-first-boot" "$name-sidecar-config" >/dev/null 2>&1 || true
	podman secret rm "$name-vm-first-boot" >/dev/null 2>&1 || true
	common_teardown
}

# play FILE: $name becomes that of the pod's container "vm".
play() {
	[[ -e $pod ]] || sed -E "s/\\b(name|claimName|secretName): ((vm|sidecar)(-[a-z-]+)?)$/\\1: $name-\\2/; s/- name: $name-(vm)$/- name: \\1/
		s|localhost/ocivirt:latest|$image|" "$project/examples/kubernetes/$1" >"$pod"
	podman kube play "$pod" >/dev/null
}

# probe WORD: what the kubelet would do, until it succeeds.
probe() {
	local deadline=$((SECONDS + PATIENCE))
	until podman exec "$name" ocivirt health "--$1"; do
		((SECONDS < deadline))
		sleep 0.5
	done
}

@test "a VM as a pod's main container: disk, folder, first-boot data, probes, and its stop" {
	local test=$name
	play vm.yaml
	name=$test-vm-vm
	wait_for '^guest: disk vdb count 1'
	probe startup
	probe ready
	probe live
	local address
	address=$(podman inspect "$(podman pod inspect "$test-vm" --format '{{.InfraContainerID}}')" --format '{{.NetworkSettings.IPAddress}}')
	[[ -n $address ]] || address=$(podman inspect "$(podman pod inspect "$test-vm" --format '{{.InfraContainerID}}')" \
		--format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')
	[[ $(fetch "http://$address:8080/hello") == 'hello from vm' ]]
	[[ $(fetch "http://$address:8080/pages/index.html") == *'From a ConfigMap'* ]]
	local since
	since=$(now_ms)
	podman pod stop --time 25 "$test-vm" >/dev/null
	at_most 25000 "$since"
	finish
	expect_status 0
	# Whose mounts are busy for a moment, now and then.
	podman kube down "$pod" >/dev/null || { sleep 2 && podman pod rm --force "$test-vm" >/dev/null; }
	# The claim's volume is there for the next pod; podman 4.3 does not take the claim itself twice.
	awk 'BEGIN { RS = "\n---\n"; ORS = "\n---\n" } !/kind: PersistentVolumeClaim/' "$pod" >"$pod.again"
	podman kube play "$pod.again" >/dev/null
	wait_for '^guest: disk vdb count 2'
	name=$test
}

@test "a VM as a sidecar: another container of the pod uses it at localhost" {
	local test=$name
	play sidecar.yaml
	name=$test-sidecar-vm
	probe ready
	local app=$test-sidecar-app deadline=$((SECONDS + PATIENCE))
	until podman logs "$app" 2>/dev/null | grep -q 'hello from sidecar'; do
		((SECONDS < deadline))
		sleep 0.5
	done
	local since
	since=$(now_ms)
	podman pod stop --time 15 "$test-sidecar" >/dev/null
	at_most 15000 "$since"
	finish
	expect_status 0
	name=$test
}
