#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Folders and files that the guest shares, by virtiofs.

load helpers
setup() {
	common_setup
	shared=$BATS_TEST_TMPDIR/shared
	mkdir "$shared"
}
teardown() { common_teardown; }

# mount SOURCE DESTINATION [OPTION]
mount() {
	echo ".mounts += [{type: \"bind\", source: \"$1\", destination: \"$2\", options: [\"${3:-rw}\"]}]"
}

virtiofsd_pid() {
	jq ".helpers[$1].pid" "$root/instance.json"
}

@test "a folder is shared both ways; read-only is read-only; a file is a copy" {
	mkdir "$shared/"{both,only}
	echo from-host >"$shared/both/host"
	echo kept >"$shared/only/file"
	echo setting=1 >"$shared/app.conf"
	type_to_guest
	config "$(order wait)" "$(mount "$shared/both" /srv/both)" "$(mount "$shared/only" /srv/only ro)" "$(mount "$shared/app.conf" /etc/app.conf ro)"
	start
	wait_for '^guest: ready'
	has '^guest: mounted srv-both /srv/both rw'
	has '^guest: mounted srv-only /srv/only ro'
	in_guest 'cat /srv/both/host; echo from-guest >/srv/both/guest; sync'
	[[ $output == from-host && $status -eq 0 ]]
	[[ $(<"$shared/both/guest") == from-guest ]]
	echo later >"$shared/both/host"
	in_guest 'sleep 2; cat /srv/both/host'
	[[ $output == later ]]

	# It is kept on this side: a guest can mount what it likes.
	in_guest 'mount -o remount,rw /srv/only'
	for command in 'echo x >/srv/only/new' 'echo x >/srv/only/file' 'rm /srv/only/file' 'mkdir /srv/only/x' \
		'mv /srv/only/file /srv/only/y' 'ln -s a /srv/only/link' 'ln /srv/only/file /srv/only/hard' \
		'chmod 777 /srv/only/file' 'chown 1 /srv/only/file' 'touch -t 200001010000 /srv/only/file' 'truncate -s 0 /srv/only/file'; do
		in_guest "$command"
		[[ $status -ne 0 && $output == *'Read-only file system'* ]] || {
			echo "$command: status $status, $output"
			return 1
		}
	done
	in_guest 'cat /srv/only/file'
	[[ $output == kept ]]
	[[ $(ls "$shared/only") == file ]]

	in_guest 'cat /etc/app.conf; echo x >>/etc/app.conf'
	[[ $output == setting=1* && $status -ne 0 ]]
	[[ $(<"$shared/app.conf") == setting=1 ]]

	# A link that leads out of the folder leads to a place in the guest.
	ln -s /etc/debian_version "$shared/both/link"
	in_guest 'sleep 1; cat /srv/both/link'
	[[ $status -ne 0 ]]
	in_guest 'cat /srv/both/../../../../etc/debian_version'
	[[ $status -ne 0 ]]
	kill -QUIT "$pid"
	finish
}

@test "a folder is shared on when the engine has died" {
	type_to_guest
	config "$(order wait)" "$(mount "$shared" /srv/data)"
	start
	wait_for '^guest: ready'
	local virtiofsd
	virtiofsd=$(virtiofsd_pid 0)
	kill -KILL "$(engine_pid)"
	wait_for 'the VM is taken over' "$err"
	in_guest 'echo survived >/srv/data/file && sync'
	[[ $status -eq 0 && $(<"$shared/file") == survived ]]
	[[ $(virtiofsd_pid 0) == "$virtiofsd" ]]
	kill -KILL "$virtiofsd"
	wait_for 'virtiofsd, which shares .* with the guest, has ended; the guest cannot do without, and is stopped' "$err"
	finish
	expect_status 69
}

@test "a virtiofsd that is killed while the guest writes: it is named, and the guest is stopped" {
	type_to_guest
	config "$(order wait)" "$(mount "$shared" /srv/data)" "$(annotate stop-timeout 3s)"
	start
	wait_for '^guest: ready'
	echo "order run 'dd if=/dev/zero of=/srv/data/big bs=64k count=100000'" >&9
	local deadline=$((SECONDS + PATIENCE))
	until [[ -s $shared/big ]]; do
		((SECONDS < deadline))
		sleep 0.1
	done
	kill -KILL "$(virtiofsd_pid 0)"
	finish
	expect_status 69
	has "virtiofsd, which shares $shared with the guest, has ended" "$err"
}

@test "no virtiofsd, nothing to share, no place for it: a status, and a remedy" {
	config "$(mount "$shared" /srv/data)"
	within=(unshare -m sh -c 'for f in /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd; do [ ! -e $f ] || mount --bind /dev/null $f; done; exec "$@"' -)
	start
	finish
	expect_status 69
	has "virtiofsd, which shares $shared with the guest, is not installed; install it" "$err"
	within=()

	config "$(mount "$shared/no" /srv/data)" "$(mount /dev/null /srv/null)" "$(mount "$shared" '/srv/a b')" "$(mount "$shared" /..)"
	start
	finish
	expect_status 78
	has "config.json:[0-9]+:[0-9]+: mounts\[0\].source: cannot use $shared/no: No such file or directory; put it there" "$err"
	has 'mounts\[1\].source: /dev/null is not possible in a VM: it is no file, folder or block device' "$err"
	has 'mounts\[2\].destination: "/srv/a b" cannot be told to the guest' "$err"
	has 'mounts\[3\].destination: "/" is not a place for a folder' "$err"
}

@test "a file that is too large for a copy is refused" {
	truncate -s 17M "$shared/large"
	config "$(mount "$shared/large" /etc/large)"
	start
	finish
	expect_status 78
	has "$shared/large is too large to be shared as a single file: at most 16 MiB" "$err"
}

@test "16 folders" {
	type_to_guest
	local filters=() n
	for n in {1..16}; do
		mkdir "$shared/$n"
		echo "folder $n" >"$shared/$n/file"
		filters+=("$(mount "$shared/$n" "/srv/$n")")
	done
	config "$(order wait)" "${filters[@]}"
	start
	wait_for '^guest: ready'
	in_guest 'cat /srv/*/file | sort | uniq | wc -l'
	[[ $output == 16 ]]
	kill -TERM "$pid"
	finish
	expect_status 0
}
