#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every config.json that a real engine wrote, given a VM: it is valid, and boots.

load helpers

setup_file() {
	netns=ocivirt-engines-$$
	export netns
	ip netns add "$netns"
}

teardown_file() {
	ip netns delete "$netns"
}

setup() { common_setup; }
teardown() { common_teardown; }

# Puts a VM into an engine's file as text: jq 1.6 would round its integers. The network namespace that it was to join
# is gone with its container; one of ours takes its place, and so it is with volumes and folders.
give_vm() {
	local volumes=$BATS_TEST_TMPDIR/volumes
	mkdir -p "$volumes/"{data,vm,scratch}
	sed -e "1s|{|{ \"vm\": {\"kernel\": {\"path\": \"$guest/vmlinux\", \"initrd\": \"$guest/initrd.img\", \"parameters\": $(fast_parameters | jq -c '. + ["guest.order=poweroff"]')}},|" \
		-e "s|\"/srv/data\"|\"$volumes/data\"|" -e "s|\"[^\"]*/volumes/\([a-z]*\)/_data\"|\"$volumes/\1\"|" \
		-e "s|\"/proc/4242/ns/net\"|\"/run/netns/$netns\"|" \
		-e "s|\"[^\"]*/netns/netns-[^\"]*\"|\"/run/netns/$netns\"|" "$1" >"$bundle/config.json"
}

# boot NAME...: each of these fixtures.
boot() {
	local name
	export OCIVIRT_ACCEL=tcg OCIVIRT_MEMORY=128M OCIVIRT_CPUS=1
	for name; do
		echo "$name"
		give_vm "$fixtures/$name.json"
		run -0 "$ocivirt" validate --bundle "$bundle"
		start
		finish
		expect_status 0
		has '^guest: powering off'
		# Not even a privileged container's list gives the guest a disk of this machine.
		has_not '^guest: disk'
	done
}

fixtures=$BATS_TEST_DIRNAME/../fixtures
root_fixtures=(podman-default podman-privileged podman-hardened podman-kvm podman-options podman-userns)
more=(podman-host podman-systemd podman-cgroup1)
pods=(podman-pod podman-pod-infra podman-kube)
rootless=(podman-rootless podman-rootless-privileged podman-rootless-kvm)
containerd=(ctr-default ctr-privileged ctr-limits ctr-options)
specs=(runc-spec runc-spec-rootless crun-spec crun-spec-rootless)

@test "podman as root" {
	boot "${root_fixtures[@]}"
}

@test "podman in other ways" {
	boot "${more[@]}"
}

@test "podman's pods" {
	boot "${pods[@]}"
}

@test "podman without root" {
	boot "${rootless[@]}"
}

@test "containerd" {
	boot "${containerd[@]}"
}

@test "runc spec and crun spec" {
	boot "${specs[@]}"
}

@test "no fixture is left out" {
	local all=("${root_fixtures[@]}" "${more[@]}" "${pods[@]}" "${rootless[@]}" "${containerd[@]}" "${specs[@]}")
	diff <(printf '%s.json\n' "${all[@]}" | sort) <(cd "$fixtures" && printf '%s\n' *.json | sort)
}
