#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# ocivirt as PID 1 of a container.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

@test "a guest that powers off ends the container with status 0" {
	config "$(order poweroff)"
	run_vm --rm
	expect_status 0
	has 'guest running after [0-9]+ ms' "$err"
	has '\[ +0\.000000\] Linux version'
	has '^guest: powering off'
	has_not 'ocivirt:'
}

@test "the status that the guest reports is the container's" {
	config "$(order exit,7)"
	run_vm --rm
	expect_status 7
	has 'the guest powered off and reported exit status 7' "$err"
}

@test "the image boots something by itself" {
	said() {
		local deadline=$((SECONDS + PATIENCE))
		until grep -qsaE -- "$1" "$out" || ((SECONDS >= deadline)); do
			sleep 0.2
		done
	}
	status=0
	timeout "$PATIENCE" "$project/hack/podman" run -i --name "$name" "$image" >"$out" 2>"$err" 3>&- < <(
		exec 3>&-
		said 'vm:[^ ]*# '
		echo 'echo in-$(echo the)-guest'
		said 'in-the-guest'
		echo exit
		said '^guest: powering off' # until then there is somebody at the keyboard
	) || status=$?
	kill $! 2>/dev/null || true
	expect_status 0
	has 'This is a virtual machine'
	has 'in-the-guest'
}

@test "the image can be built upon" {
	config "$(order poweroff)"
	printf 'FROM %s\nCOPY config.json /etc/ocivirt/\n' "$image" >"$bundle/Containerfile"
	podman build --quiet --tag "localhost/$name" "$bundle" >/dev/null
	run -0 podman run --rm --name "$name" "localhost/$name"
	podman rmi --force "localhost/$name" >/dev/null
	[[ $output == *"guest: powering off"* ]]
}

@test "subcommands run in the image" {
	run -0 podman run --rm --name "$name" "$image" --version
	[[ $output == "ocivirt "* ]]
	run -0 podman run --rm --name "$name" "$image" validate
	[[ $output == *"/etc/ocivirt/config.json: valid"* ]]
	run -0 podman run --rm --name "$name" "$image" xml
	[[ $output == *"<domain "* ]]
}

@test "the image says how to stop it, who it is, and runs as a plain user" {
	[[ $(podman image inspect "$image" --format '{{.Config.StopSignal}}') =~ ^(SIGTERM|15)$ ]]
	[[ $(podman image inspect "$image" --format '{{.Config.User}}') == 1000:1000 ]]
	[[ $(podman image inspect "$image" --format '{{index .Config.Labels "org.opencontainers.image.licenses"}}') == LGPL-2.1-or-later ]]
}

@test "without any privilege, on a read-only root" {
	config "$(order poweroff)"
	run_vm --rm --user 1000 --cap-drop=all --security-opt=no-new-privileges --read-only --tmpfs /tmp
	expect_status 0
	has '^guest: powering off'
	has_not 'warning' "$err"
}

@test "libvirt's notes on QEMU are the image's, in place and where the root directory is another" {
	# Whatever libvirt had to find out would be newer than what ocivirt writes before it opens libvirt.
	local root script='set -- "$0"/cache/qemu/capabilities/*.xml
		echo "$#" && find "$1" -newer "$0/etc/qemu.conf"'
	config "$(order wait)"
	start
	wait_for 'guest running'
	run -0 podman exec "$name" sh -c "$script" /var/lib/ocivirt
	[[ $output == 1 ]]
	podman rm --force --time 0 "$name" >/dev/null

	start --user 1000 --cap-drop=all --security-opt=no-new-privileges --read-only --tmpfs /tmp
	wait_for 'guest running'
	root=$(podman exec "$name" sh -c 'echo /*/ocivirt-????????????????')
	run -0 podman exec "$name" sh -c "$script" "$root"
	[[ $output == 1 ]]
}

@test "limits and priorities of QEMU, as far as a plain user may" {
	config "$(order wait)" '.process = {cwd: "/", args: ["sh"], oomScoreAdj: 700,
		rlimits: [{type: "RLIMIT_NOFILE", soft: 300, hard: 400}, {type: "RLIMIT_MEMLOCK", soft: 99999999999, hard: 99999999999}]}'
	start --cap-drop=all --ulimit memlock=65536:65536
	wait_for 'guest running'
	run -0 podman exec "$name" sh -c 'for p in /proc/[0-9]*; do
		case $(cat "$p/comm") in qemu-system-*) cat "$p/limits" "$p/oom_score_adj" "$p/status" ;; esac; done'
	# QEMU itself raises the soft limit, from version 9.1 on.
	[[ $output =~ "Max open files"\ +[34]00\ +400 ]]
	[[ $output =~ $'\n700\n' ]]
	[[ $output == *NoNewPrivs:$'\t1'* ]]
	logs
	has 'warning: process.rlimits: RLIMIT_MEMLOCK cannot be raised beyond [0-9]+' "$err"
}

@test "as a user that the image does not know" {
	config "$(order poweroff)"
	run_vm --rm --user 12345:12345 --cap-drop=all --security-opt=no-new-privileges --read-only
	expect_status 0
	has '^guest: powering off'
}

@test "as root" {
	config "$(order poweroff)"
	run_vm --rm --user 0
	expect_status 0
	has '^guest: powering off'
}

@test "as root with the four capabilities that libvirt wants then; without, it says so: status 69" {
	config "$(order poweroff)"
	run_vm --rm --user 0 --cap-drop=all --cap-add=DAC_OVERRIDE,SETGID,SETUID,SETPCAP --security-opt=no-new-privileges \
		--read-only --tmpfs /tmp
	expect_status 0
	run_vm --rm --user 0 --cap-drop=all
	expect_status 69
	has 'needs capability CAP_DAC_OVERRIDE.*--user 1000' "$err"
}

@test "a read-only container without any tmpfs says what it needs: status 69" {
	config "$(order poweroff)"
	run_vm --rm --read-only --read-only-tmpfs=false --tmpfs /dev/shm:ro,size=4k --mount type=tmpfs,dst=/run,ro
	[[ $status -ne 0 ]]
	expect_status 69
	has 'mount a tmpfs' "$err"
}

@test "a seccomp profile of the engine under which nobody could end QEMU: status 69, at the start" {
	config "$(order wait)"
	jq '.syscalls[].names -= ["pidfd_send_signal"]' /usr/share/containers/seccomp.json >"$bundle/seccomp.json"
	run_vm --rm --security-opt "seccomp=$bundle/seccomp.json"
	expect_status 69
	has 'cannot watch QEMU.*seccomp profile must allow pidfd_open and pidfd_send_signal' "$err"
}

@test "under another init" {
	config "$(order poweroff)"
	run_vm --rm --init
	expect_status 0
}

@test "environment variables override the bundle" {
	config "$(order poweroff)"
	run_vm --rm -e OCIVIRT_MEMORY=200M -e OCIVIRT_CPUS=2
	expect_status 0
	has '^guest: ram-mib 200'
	has '^guest: cpus 2'
}

@test "the container's memory limit sizes the guest, and refuses what does not fit" {
	config "$(order poweroff)" 'del(.annotations["org.ocivirt.memory"])'
	run_vm --rm --memory 512m
	expect_status 0
	local mib
	mib=$(sed -n 's/^guest: ram-mib \([0-9]*\).*/\1/p' "$out")
	((mib > 200 && mib < 400))
	run_vm --rm --memory 512m -e OCIVIRT_MEMORY=1G
	expect_status 78
	has '1 GiB .*512 MiB.*at most [0-9]+M' "$err"
}

@test "the container's CPUs are the guest's" {
	config "$(order poweroff)" 'del(.annotations["org.ocivirt.cpus"])'
	run_vm --rm --cpuset-cpus 0
	expect_status 0
	has '^guest: cpus 1'
	run_vm --rm --cpus 1.5
	expect_status 0
	has '^guest: cpus 2'
}

@test "a wrong config: status 78, with line and remedy" {
	config "$(annotate memry 1G)"
	run_vm --rm
	expect_status 78
	has '/etc/ocivirt/config.json:7:5: .*did you mean org.ocivirt.memory' "$err"
}

@test "an overlay survives a restart of the container and goes with it" {
	config 'del(.vm.kernel)' '.vm.image = {path: "/guest/disk.raw", format: "raw"}'
	podman run --detach --interactive --name "$name" -v "$bundle:/etc/ocivirt:ro" -v "$project/build/guest:/guest:ro" \
		"$image" >/dev/null
	wait_for '^guest: ready'
	echo 'order disk-write kept' | podman attach --no-stdin=false "$name" >/dev/null &
	wait_for '^guest: disk says kept'
	podman stop "$name" >/dev/null
	logs_since=$(date -u +%FT%T.%NZ)
	podman start "$name" >/dev/null
	wait_for '^guest: ready'
	echo 'order disk-read' | podman attach --no-stdin=false "$name" >/dev/null &
	wait_for '^guest: disk says kept'
	podman diff "$name" | grep -q '/var/lib/ocivirt/disks/vda.qcow2'
	podman stop "$name" >/dev/null
	[[ $(podman inspect "$name" --format '{{.State.ExitCode}}') -eq 0 ]]
}
