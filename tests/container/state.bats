#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is asked, and run, beside the VM of a container.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

ask() {
	podman exec "$name" ocivirt state
}

@test "podman exec ocivirt state tells of the VM" {
	config "$(order wait)" '.annotations["some.note"] = "x"'
	start --hostname told
	wait_for 'guest running after'
	[[ $(ask | jq -r '.id, .status, .bundle, .annotations["some.note"]' | paste -sd' ') == "told running /etc/ocivirt x" ]]
	podman exec "$name" sh -c "test -d /proc/$(ask | jq .pid)"
}

@test "and in a read-only container without any privilege" {
	config "$(order wait)"
	start --user 1000 --cap-drop=all --security-opt=no-new-privileges --read-only --tmpfs /tmp
	wait_for 'guest running after'
	[[ $(ask | jq -r .status) == running ]]
	podman exec "$name" sh -c 'ls -d /run/ocivirt-*/instance.json || ls -d /tmp/ocivirt-*/instance.json || ls -d /dev/shm/ocivirt-*/instance.json'
}

@test "as PID 1 poststop hooks run, and the container ends when they have" {
	printf '#!/bin/sh\ncat >/etc/ocivirt/told.$1\n' >"$bundle/hook"
	chmod 755 "$bundle/hook"
	chmod 777 "$bundle"
	config "$(order wait)" '.hooks = {
		createRuntime: [{path: "/etc/ocivirt/hook", args: ["x", "create"], env: ["PATH=/bin"]}],
		poststop: [{path: "/etc/ocivirt/hook", args: ["x", "stop"], env: ["PATH=/bin"]}]}'
	podman run --detach --name "$name" -v "$bundle:/etc/ocivirt" "$image" >/dev/null
	wait_for '^guest: listening'
	podman stop "$name" >/dev/null
	finish
	expect_status 0
	[[ $(jq -r .status "$bundle/told.create") == creating ]]
	[[ $(jq -r '.status, has("pid")' "$bundle/told.stop" | paste -sd' ') == "stopped false" ]]
}
