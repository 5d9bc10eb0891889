#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# A Debian as clouds have it, with systemd, cloud-init and sshd, becomes what its config.json says.

load helpers
load network
setup() {
	PATIENCE=1800 # it boots in a minute where nothing else runs
	common_setup
	# Not where the tree is a volume: what is on one is written directly.
	debian=$BATS_TEST_TMPDIR/debian.qcow2
	cp "$guest/debian/disk.qcow2" "$debian"
	shared=$BATS_TEST_TMPDIR/shared
	mkdir "$shared"
	ssh-keygen -q -t ed25519 -N '' -C me -f "$BATS_TEST_TMPDIR/key"
	key=$(<"$BATS_TEST_TMPDIR/key.pub")
}
teardown() {
	common_teardown
	network_remove
}

# debian_config FILTER...: a config that boots it, changed by jq filters.
debian_config() {
	config 'del(.vm.kernel)' '.vm.image = {path: "'"$debian"'", format: "qcow2"}' '.hostname = "mickey"' \
		"$(annotate memory 768M)" "$(annotate stop-timeout 600s)" "$@"
}

# What the guest is to do; and to say on its console, beside a login prompt, when cloud-init has done the rest.
write_user_data() {
	cat >"$bundle/user-data" <<-'END'
		#cloud-config
		users:
		  - default
		  - name: alice
		write_files:
		  - path: /etc/written
		    content: "by cloud-init\n"
		runcmd:
		  - modprobe qemu_fw_cfg
		  - |
		    exec >/dev/console
		    say() { echo "guest: $*"; }
		    say hostname "$(hostname)"
		    say instance "$(cat /var/lib/cloud/data/instance-id)"
		    say user "$(id -un alice)"
		    say written "$(cat /etc/written)"
		    say key "$(cat /home/debian/.ssh/authorized_keys)"
		    say root-key "$(cat /root/.ssh/authorized_keys)"
		    say hash "$(getent shadow debian | cut -d: -f2)"
		    say credential "$(cat /run/credentials/@system/told)"
		    say long-credential "$(wc -c </run/credentials/@system/long)"
		    say fw-cfg "$(cat /sys/firmware/qemu_fw_cfg/by_name/opt/org.example/word/raw)"
		    say cloud-init "$(cloud-init status | tr '\n' ' ')"
		    say firmware "$([ -e /sys/firmware/efi ] && echo UEFI || echo BIOS)"
		    say told
	END
}

# Names, users, keys and files are what the config says.
expect_told() {
	has 'guest: hostname mickey'
	has 'guest: user alice'
	has 'guest: written by cloud-init'
	has "guest: key ${key//+/.}"
	has "guest: root-key .*${key//+/.}"
	has 'guest: hash \$y\$j9T\$salt\$hash'
	has 'guest: credential to all'
	has 'guest: long-credential 6000'
	has 'guest: fw-cfg a word'
	has "guest: instance $("$ocivirt" xml --bundle "$bundle" | sed -n 's/.*<uuid>\(.*\)<.uuid>.*/\1/p')"
}

told() {
	annotate ssh-authorized-keys "$key"
	annotate password-hash '$y$j9T$salt$hash'
	annotate cloud-init.user-data ./user-data
	annotate credential.told 'to all'
	annotate credential.long "$(head -c 6000 /dev/zero | tr '\0' x)"
	annotate fw-cfg.opt/org.example/word 'a word'
}

# share SOURCE DESTINATION
share() {
	echo ".mounts += [{type: \"bind\", source: \"$1\", destination: \"$2\"}]"
}

# by_ssh COMMAND: as whoever has the key, from outside, through the published port.
by_ssh() {
	run -0 --separate-stderr from_outside ssh -p 2222 -i "$BATS_TEST_TMPDIR/key" -o BatchMode=yes -o ConnectTimeout=60 \
		-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null debian@10.88.0.2 "$1"
}

@test "a Debian is told its name, users, keys, files and folders, and lets the key's owner in" {
	network_create
	write_user_data
	mkdir "$shared/folder"
	echo from-host >"$shared/folder/host"
	echo setting=1 >"$shared/app.conf"
	mapfile -t filters < <(told)
	debian_config "${filters[@]}" "$(annotate network passt)" "$(annotate publish 2222:22)" \
		"$(share "$shared/folder" /srv/shared)" "$(share "$shared/app.conf" /etc/app.conf)"
	start
	wait_for 'guest: told'
	expect_told
	has 'guest: firmware BIOS'
	# It has the container's IPv6 address, too, by DHCPv6.
	by_ssh 'ip -6 -o addr show scope global'
	[[ $output == *fd00:88::2/* ]]
	by_ssh 'hostname; id -un; cat /srv/shared/host /etc/app.conf; echo from-guest | sudo tee /srv/shared/guest'
	[[ $output == $'mickey\ndebian\nfrom-host\nsetting=1\nfrom-guest' ]]
	[[ $(<"$shared/folder/guest") == from-guest ]]
	kill -TERM "$pid"
	finish
	expect_status 0
}

# bats test_tags=long
@test "the same Debian boots by UEFI" {
	write_user_data
	mapfile -t filters < <(told)
	debian_config "${filters[@]}" "$(annotate firmware uefi)"
	start
	wait_for 'guest: told'
	expect_told
	has 'guest: firmware UEFI'
	kill -TERM "$pid"
	finish
	expect_status 0
}
