#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Many containers, started and stopped in every way there is: afterwards the machine is as it was before. Runs alone,
# because it looks at the whole machine.

load ../container/helpers
setup() { common_setup; }

: "${CONTAINERS:=50}"

# What a machine has that a container could leave: processes, mounts, and files outside the containers' storage.
inventory() {
	local storage
	storage=$("$project/hack/podman" info --format '{{.Store.GraphRoot}}')
	echo "processes:"
	pgrep -l '^(qemu|ocivirt|conmon|crun|catatonit)' | cut -d' ' -f2 | sort
	echo "mounts:"
	cut -d' ' -f2 /proc/mounts | sort
	echo "files:"
	find /run /dev/shm /var/lib -xdev \( -path "$storage" -o -path /run/containers -o -path /run/libpod -o -path /run/crun \
		-o -path /run/netns -o -path /run/udev -o -path /run/systemd \) -prune -o \( -type f -o -type s \) -print | sort
	# Others use these too.
	find /tmp /var/tmp -mindepth 1 -maxdepth 1 -name '*ocivirt*' -o -name '*libvirt*' -o -name '*qemu*' -o -name '*podman*' \
		-o -name '*buildah*' -o -name '*conmon*' | sort
	echo "leases and names:"
	ip netns list 2>/dev/null | sort
	"$project/hack/podman" ps --all --quiet | sort
}

# insist SIGNAL: until the container has ended; the kernel drops what comes before PID 1 has blocked its signals.
insist() {
	for _ in {1..30}; do
		"$podman" kill --signal "$1" "$name"
		! timeout 10 "$podman" wait "$name" || return 0
	done
}

# one WAY NUMBER: a container's whole life.
one() {
	local way=$1 name=ocivirt-leak-$2-$$ options=()
	local podman=$project/hack/podman
	local bundles=$BATS_TEST_TMPDIR/$way
	case $way in
	readonly) options=(--user 1000 --cap-drop=all --security-opt=no-new-privileges --read-only --tmpfs /tmp) ;;
	root) options=(--user 0) ;;
	esac
	"$podman" run --detach --name "$name" -v "$bundles:/etc/ocivirt:ro" "${options[@]}" "$image" >/dev/null
	case $way in
	stop | readonly) sleep 3 && "$podman" stop "$name" ;;
	early) sleep "0.$2" && insist TERM ;;
	force) sleep 3 && insist QUIT ;;
	kill) sleep "0.$2" && "$podman" kill --signal KILL "$name" ;;
	restart) sleep 1 && "$podman" restart --time 2 "$name" && "$podman" stop --time 2 "$name" ;;
	esac >/dev/null 2>&1 || true
	timeout "$PATIENCE" "$podman" wait "$name" >/dev/null
	"$podman" rm "$name" >/dev/null
}

@test "after $CONTAINERS containers no process, no mount and no file is left" {
	local ways=(poweroff stop early force kill panic wrong readonly root restart) way i
	for way in "${ways[@]}"; do
		case $way in
		panic) config "$(order panic)" ;;
		wrong) config '.ociVersion = "x"' ;;
		poweroff | root) config "$(order poweroff)" ;;
		*) config "$(order wait)" ;;
		esac
		mkdir -p "$BATS_TEST_TMPDIR/$way"
		cp "$bundle/config.json" "$BATS_TEST_TMPDIR/$way/"
	done
	chmod -R a+rX "$BATS_TEST_TMPDIR"

	inventory >"$BATS_TEST_TMPDIR/before"
	export -f one insist
	export project image PATIENCE BATS_TEST_TMPDIR
	for ((i = 0; i < CONTAINERS; i++)); do
		echo "${ways[i % ${#ways[@]}]} $((i + 10))"
	done | xargs -P "$(nproc)" -L 1 bash -c 'one "$@"' one 3>&-
	# conmon outlives its container by a moment.
	for i in {1..50}; do
		inventory >"$BATS_TEST_TMPDIR/after"
		! cmp -s "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" || break
		sleep 0.2
	done
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}
