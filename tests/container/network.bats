#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Network, shared folders and disks, with no privileges at all.

load helpers
setup() { common_setup; }
teardown() {
	common_teardown
	remove_made
}

@test "a published port, a folder, a disk on a volume and one of the image" {
	podman volume create "$name" >/dev/null
	local data pages=$BATS_TEST_TMPDIR/pages
	data=$(podman volume inspect --format '{{.Mountpoint}}' "$name")
	truncate -s 8M "$data/disk.raw" "$bundle/data.raw"
	mkdir "$pages"
	echo 'from the host' >"$pages/page"
	printf '#!/bin/sh\ncp /proc/uptime /srv/pages/from-guest && cat /srv/pages/page\n' >"$pages/script"
	chmod 755 "$pages/script"
	chown -R 1000:1000 "$data" "$pages"
	printf 'FROM %s\nCOPY data.raw /images/\n' "$image" >"$bundle/Containerfile"
	podman build --quiet --tag "localhost/$name" "$bundle" >/dev/null
	image=localhost/$name
	config "$(annotate publish 8080:80)" '.mounts = [
			{destination: "/dev/vdb", type: "bind", source: "/data/disk.raw"},
			{destination: "/dev/vdc", type: "bind", source: "/images/data.raw"},
			{destination: "/srv/pages", type: "bind", source: "/srv/pages"}]' \
		"$(order web)" "$(order disk-count,vdb)" "$(order disk-count,vdc)" "$(order run,/srv/pages/script)"
	run_once() {
		start "${unprivileged[@]}" -v /var/lib/ocivirt -v "$name:/data" -v "$pages:/srv/pages" -p 127.0.0.1::8080
	}
	run_once
	wait_for '^guest: ready'
	has '^guest: disk vdb count 1'
	has '^guest: disk vdc count 1'
	has '^guest: run: from the host'
	[[ $(<"$pages/from-guest") == *.* ]]
	local port
	port=$(podman port "$name" 8080/tcp)
	port=${port##*:}
	[[ $(fetch "http://127.0.0.1:$port/hello") == 'hello from '* ]]
	[[ $(fetch "http://127.0.0.1:$port/pages/page") == 'from the host' ]]
	echo changed >"$pages/page"
	[[ $(fetch "http://127.0.0.1:$port/pages/page") == changed ]]

	podman restart --time 20 "$name" >/dev/null
	wait_for '^guest: disk vdb count 2'
	wait_for '^guest: disk vdc count 2'
	port=$(podman port "$name" 8080/tcp)
	[[ $(fetch "http://127.0.0.1:${port##*:}/hello") == 'hello from '* ]]

	podman rm --force --volumes --time 20 "$name" >/dev/null
	run_once
	wait_for '^guest: disk vdb count 3'
	wait_for '^guest: disk vdc count 1'
	podman stop --time 20 "$name" >/dev/null
	finish
	expect_status 0
}

@test "without a network the guest has none, and the host's own is not published unasked" {
	config "$(order poweroff)"
	run_vm --rm "${unprivileged[@]}" --network none
	expect_status 0
	has 'the guest has no network, for the container has none but loopback' "$err"
	run_vm --rm "${unprivileged[@]}" --network host
	expect_status 0
	has 'no ports are published, for the network is the host' "$err"
}

@test "two networks are two devices" {
	podman network create "$name" >/dev/null
	config "$(annotate publish 8080:80)" "$(order web)"
	start "${unprivileged[@]}" --network "podman,$name"
	wait_for '^guest: ready'
	has '^guest: address eth0 '
	has '^guest: address eth1 '
	local address
	for address in $(podman inspect "$name" --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'); do
		[[ $(fetch "http://$address:8080/hello") == 'hello from '* ]]
	done
	podman rm --force --time 0 "$name" >/dev/null
	podman network rm "$name" >/dev/null
}

@test "a passt that dies is replaced, also by another engine, and one that never stays ends the VM in order" {
	config "$(annotate publish 8080:80)" "$(order web)"
	start "${unprivileged[@]}" -v /var/lib/ocivirt -p 127.0.0.1::8080
	wait_for '^guest: ready'
	local port
	port=$(podman port "$name" 8080/tcp)
	port=${port##*:}
	[[ $(fetch "http://127.0.0.1:$port/hello") == 'hello from '* ]]
	inside() { podman exec "$name" sh -c "$1"; }
	passt() { inside 'cat /var/lib/ocivirt/instance.json' | jq '.helpers[-1].pid'; }
	# They die side by side: the next engine is who finds that passt has gone.
	kill -KILL "$(pgrep -x ocivirt-engine -P "$(podman inspect "$name" --format '{{.State.Pid}}')")"
	inside "kill -KILL $(passt)"
	wait_for 'the VM is taken over'
	wait_for 'passt, .* has ended, and is started again'
	[[ $(fetch "http://127.0.0.1:$port/hello") == 'hello from '* ]]
	# Six within a minute are too many; on a slow machine some come later than that.
	local last next kills=0 deadline
	next=$(passt)
	said() { logs && grep -q 'again and again' "$err"; }
	until said; do
		((kills++ < 15))
		last=$next
		inside "kill -KILL $last"
		deadline=$((SECONDS + PATIENCE))
		until next=$(passt) && [[ $next == [1-9]* && $next != "$last" ]] || said; do
			((SECONDS < deadline))
			sleep 0.1
		done
	done
	finish
	expect_status 69
	has 'passt, .* has ended again and again' "$err"
	has 'guest: power button'
}
