#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The root directory: private, swept of another life, kept where it should be, and replaced where it cannot be.

load helpers
setup() {
	common_setup
	cold=1
}
teardown() { common_teardown; }

@test "it is made, private, and libvirt writes nowhere else" {
	config "$(order wait)"
	rmdir "$root"
	local home=$BATS_TEST_TMPDIR/home
	mkdir "$home"
	HOME=$home XDG_RUNTIME_DIR=$home start
	wait_for '^guest: ready'
	[[ $(stat -c %a "$root") == 700 ]]
	[[ $(stat -c %a "$root/instance.json") == 600 ]]
	kill -TERM "$pid"
	finish
	[[ -z $(ls -A "$home") ]]
}

@test "state of another boot is swept, and no pid in it is believed" {
	config "$(order wait)"
	sleep 1000 3>&- &
	local stranger=$!
	mkdir -p "$root/run/qemu" "$root/disks" "$root/cache"
	echo $stranger >"$root/run/qemu/$(hostname).pid"
	: >"$root/run/old.sock"
	: >"$root/disks/kept"
	jq -n --argjson pid $stranger '{id: "x", bootId: "another", pidNamespace: 1, supervisorPid: $pid,
		qemuPid: $pid, qemuStartTime: 1}' >"$root/instance.json"
	start
	wait_for '^guest: ready'
	[[ ! -e $root/run/old.sock ]]
	kill -TERM "$pid"
	finish
	expect_status 0
	kill -0 $stranger
	kill $stranger
	[[ -e $root/disks/kept ]]
}

@test "an instance.json full of rubbish is no obstacle" {
	config "$(order poweroff)"
	for text in '{' '{"qemuPid": "x"}'; do
		echo "$text" >"$root/instance.json"
		run -0 "$ocivirt" run -q --bundle "$bundle" --root "$root"
	done
}

@test "a link as root directory is refused" {
	config "$(order poweroff)"
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$root/link"
	run -69 "$ocivirt" run --bundle "$bundle" --root "$root/link"
	[[ -z $(ls -A "$BATS_TEST_TMPDIR/elsewhere") ]]
}

@test "a root directory that cannot be made is status 69, and says why" {
	config "$(order poweroff)"
	run -69 "$ocivirt" run --bundle "$bundle" --root /nonexistent/deep/root
	[[ $output == *"cannot create the directory /nonexistent/deep/root (name a writable root directory with --root): No such file"* ]]
	: >"$root/file"
	run -69 "$ocivirt" run --bundle "$bundle" --root "$root/file"
}

@test "no space is status 69, and nothing is left running" {
	config "$(order poweroff)"
	local size
	# Too little for ocivirt, for libvirt, and for QEMU.
	for size in 4k 16k 64k 128k; do
		mount -t tmpfs -o size=$size none "$root"
		run "$ocivirt" run --bundle "$bundle" --root "$root"
		umount "$root"
		echo "$size: status $status: $output"
		[[ $status -eq 69 ]]
		[[ ${output,,} == *"no space left"* ]]
		run ! pgrep -f -- "$root"
	done
}

# is_bounded FILE: much is written to it, of which the end is kept.
is_bounded() {
	local deadline=$((SECONDS + PATIENCE))
	{
		yes 'what the guest has QEMU say' | head -c 2M
		printf '\nthe last line\n'
	} >>"$1"
	until (($(stat -c %s "$1") < 1 << 20)); do
		((SECONDS < deadline)) || {
			echo "$1 has $(stat -c %s "$1") bytes"
			return 1
		}
		sleep 0.2
	done
	grep -qx 'the last line' "$1"
}

@test "no log grows for ever: its end is kept, and what comes then goes behind it" {
	config "$(order wait)"
	OCIVIRT_ID=loud start
	wait_for '^guest: ready'
	local libvirt=$root/log/libvirt.log qemu=$root/log/qemu/loud.log flags
	[[ -f $libvirt && -f $qemu ]]
	# That QEMU appends: else it would leave a hole where the rest was.
	flags=$(sed -n 's/^flags:\t0*//p' "/proc/$(qemu_pid)/fdinfo/2")
	((8#$flags & 8#2000))
	is_bounded "$libvirt"
	is_bounded "$qemu"
	# Another engine sees to it as well.
	kill -KILL "$(engine_pid)"
	wait_for 'the VM is taken over' "$err"
	is_bounded "$libvirt"
	is_bounded "$qemu"
	"$ocivirt" kill --root "$root"
	finish
	expect_status 137
	has 'terminating on signal 15' "$qemu"
	cmp "$qemu" <(tr -d '\0' <"$qemu")
}

@test "prime warms the cache" {
	"$ocivirt" prime --root "$root"
	[[ -n $(ls "$root"/cache/qemu/capabilities/*.xml) ]]
	[[ ! -e $root/instance.json && ! -e $root/run ]]
	local before
	before=$(stat -c %Y%i "$root"/cache/qemu/capabilities/*.xml)
	config "$(order poweroff)"
	start
	finish
	expect_status 0
	[[ $(stat -c %Y%i "$root"/cache/qemu/capabilities/*.xml) == "$before" ]]
}

@test "as a plain user it works as well" {
	config "$(order poweroff)"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$bundle"
	rmdir "$root"
	local copy
	copy=$(mktemp -d /tmp/ocivirt-test.XXXXXX)
	cp "$ocivirt" "$ocivirt-launch" "$guest/vmlinux" "$guest/initrd.img" "$copy"
	chmod -R a+rX "$copy"
	config "$(order poweroff)" ".vm.kernel = {path: \"$copy/vmlinux\", initrd: \"$copy/initrd.img\", parameters: .vm.kernel.parameters}"
	# sudo leaves no room for core files, and who is no root cannot make any.
	run prlimit --core=0:0 setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set -all \
		"$copy/ocivirt" run --bundle "$bundle" --root "$root"
	rm -rf "$copy"
	echo "$output"
	[[ $status -eq 0 && $output == *"guest: powering off"* ]]
}

@test "a directory that holds something else is no root directory: it is refused, and left alone" {
	config "$(order poweroff)"
	mkdir -p "$root/etc" "$root/lib"
	: >"$root/etc/passwd"
	: >"$root/bin"
	chmod 755 "$root"
	run -64 "$ocivirt" run --bundle "$bundle" --root "$root"
	[[ $(stat -c %a "$root") == 755 ]]
	rm "$root/bin"
	run -64 "$ocivirt" run --bundle "$bundle" --root "$root"
	[[ $output == *"is no root directory of ocivirt"* ]]
	[[ -e $root/etc/passwd ]]
	run -64 "$ocivirt" run --bundle "$bundle" --root /
	[[ -e /etc/passwd ]]
}

@test "who is refused a root in use leaves its VM alone" {
	config "$(order echo)"
	start
	wait_for '^guest: ready'
	run -75 "$ocivirt" run --bundle "$bundle" --root "$root"
	[[ -e $root/instance.json && -S $root/run/console.sock && -e $root/etc/qemu.conf ]]
	run -75 "$ocivirt" prime --root "$root"
	[[ -e $root/instance.json ]]
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "others cannot write into the root directory, nor provide its folders" {
	config "$(order poweroff)"
	chmod 777 "$root"
	start
	finish
	expect_status 0
	[[ $(stat -c %a "$root") == 700 ]]
	rm -r "$root/log"
	ln -s /etc "$root/log"
	run -69 "$ocivirt" run --bundle "$bundle" --root "$root"
	[[ $output == *"$root/log is no directory of ocivirt's own"* ]]
	rm "$root/log"
	chown 65534 "$root"
	chmod 1777 "$root"
	run -69 "$ocivirt" run --bundle "$bundle" --root "$root"
	[[ $output == *"others can write to it"* ]]
}
