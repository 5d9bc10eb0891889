#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The guest's network: the container's, by passt.

load helpers
load network
setup() { common_setup; }
teardown() {
	common_teardown
	network_remove
}

networked='del(.annotations["org.ocivirt.network"])'


# Somebody has port 3000 there, until $listener is killed.
listen_inside() {
	"${within[@]}" python3 -c '
import socket, time
s = socket.create_server(("0.0.0.0", 3000))
time.sleep(600)' 3>&- &
	listener=$!
	until "${within[@]}" ss -Hltn 'sport = 3000' | grep -q 3000; do sleep 0.1; done
}

# listens_outside -ltn|-lun PORT: somebody does, by now.
listens_outside() {
	local deadline=$((SECONDS + PATIENCE))
	until from_outside ss -H "$1" "sport = $2" | grep -q "$2"; do
		((SECONDS < deadline))
		sleep 0.1
	done
}

@test "the guest has the container's address, MTU and ports" {
	network_create
	type_to_guest
	config "$networked" "$(annotate publish '8080:80 5353:53/udp')" "$(order web)"
	start
	wait_for '^guest: ready'
	has '^guest: address eth0 10\.88\.0\.2/24 mtu 1400'
	has 'ports that are published: TCP 8080:80 UDP 5353:53$' "$err"
	run -0 from_outside curl -sS -m 10 http://10.88.0.2:8080/hello
	[[ $output == 'hello from '* ]]
	run -0 "${within[@]}" curl -sS -m 10 http://127.0.0.1:8080/hello
	# What is not published stays closed.
	run -7 from_outside curl -sS -m 10 http://10.88.0.2:80/hello
	run -0 "${within[@]}" ss -Hulpn 'sport = 5353'
	[[ $output == *passt* ]]
	# And out of the guest.
	# Not from_outside: its process would be the shell's, and the server that one's child.
	ip netns exec "$outside" python3 -m http.server 8000 --bind 10.88.0.1 --directory "$bundle" >/dev/null 2>&1 3>&- 9>&- &
	local server=$!
	listens_outside -ltn 8000
	in_guest '(printf "GET /config.json HTTP/1.0\r\n\r\n"; sleep 10) | nc 10.88.0.1 8000 | head -n 1'
	kill "$server"
	[[ $status -eq 0 && $output == *"200 OK"* ]]
	from_outside timeout "$PATIENCE" python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.88.0.1", 53))
question, address = s.recvfrom(1000)
answer = question[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question[12:]
s.sendto(answer + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x0a\x01\x02\x03", address)' 3>&- 9>&- &
	listens_outside -lun 53
	in_guest 'nslookup -type=a name.example 10.88.0.1'
	[[ $output == *10.1.2.3* ]]
	kill -QUIT "$pid"
	finish
}

@test "the same id has the same MAC address" {
	config "$networked" "$(annotate publish none)"
	run -0 "$ocivirt" xml --bundle "$bundle" --root "$root" --id one
	local mac=${output#*mac=}
	mac=${mac%%,*}
	[[ $mac == 52:54:00:* ]]
	run -0 "$ocivirt" xml --bundle "$bundle" --root "$root" --id one
	[[ $output == *"mac=$mac,"* ]]
	run -0 "$ocivirt" xml --bundle "$bundle" --root "$root" --id two
	[[ $output != *"mac=$mac,"* && $output == *mac=52:54:00:* ]]
}

@test "what is published unasked: all that can be, but nothing of the host's own network" {
	network_create
	config "$networked" "$(order wait)"
	listen_inside
	start
	wait_for 'ports that are published: TCP [0-9].*2999,3001-[0-9]* UDP .*; others, and fewer, with publish' "$err"
	wait_for '^guest: ready'
	kill "$listener"
	kill -QUIT "$pid"
	finish

	# A device with hardware behind it, as containers do not have one.
	if [[ -e /sys/class/net/eth0/device ]]; then
		within=()
		start
		wait_for 'no ports are published, for the network is the host' "$err"
		wait_for '^guest: ready'
		kill -QUIT "$pid"
		finish
	fi
}

@test "no network: it is said, and what asks for one is refused" {
	network_create
	ip -n "$inside" link del eth0
	config "$networked" "$(order poweroff)"
	start
	finish
	expect_status 0
	has 'the guest has no network, for the container has none but loopback' "$err"
	for setting in 'network passt' 'publish 80' 'ready port:80'; do
		config "$networked" "$(annotate "${setting% *}" "${setting#* }")"
		start
		finish
		expect_status 78
		has "annotations\[\"org.ocivirt.${setting% *}\"\]: .*(no network but loopback|the VM has no network)" "$err"
	done
	config "$(annotate publish 80)"
	start
	finish
	expect_status 78
	has 'there is nothing to publish: the setting network is none' "$err"
}

@test "ports that cannot be published: a status, and a remedy" {
	network_create
	config "$networked" "$(annotate publish 3000)" "$(order poweroff)"
	listen_inside
	start
	finish
	kill "$listener"
	expect_status 69
	has 'port 3000/tcp cannot be published: somebody here has it already; .*11000:3000' "$err"

	config "$networked" "$(annotate publish 80/udp)" "$(order poweroff)"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "$bundle" "$root"
	mkdir "$root/x"
	chown 12345 "$root/x"
	chmod 644 "$bundle/config.json"
	run -69 "${within[@]}" setpriv --reuid 12345 --regid 12345 --clear-groups "$ocivirt" run --bundle "$bundle" --root "$root/x"
	[[ $output == *'port 80/udp cannot be published: uid 12345 may bind ports from 1024 on; publish a higher one, as in 8080:80, or'*ip_unprivileged_port_start=80* ]]

	config "$networked" "$(annotate publish all)" "$(order poweroff)"
	within+=(prlimit --nofile=10000:10000)
	start
	finish
	expect_status 78
	# valgrind has 12 for itself.
	has "the published ports take [0-9]+ open files, and a process may have (${VALGRIND:+9988|}10000) here; raise that limit" "$err"
}

@test "no passt: status 69, and what to do" {
	network_create
	config "$networked"
	within+=(unshare -m sh -c 'mount --bind /dev/null /usr/bin/passt; exec "$@"' -)
	start
	finish
	expect_status 69
	has 'passt, .*is not in \$PATH; install it .*, or set network to none' "$err"
	has_not '^guest:'
}

# download_big: has begun to fetch a file that is long enough; $download is its process.
download_big() {
	in_guest 'yes | head -c 30000000 >/www/big'
	from_outside curl -sS -m 60 --limit-rate 3M -o "$BATS_TEST_TMPDIR/big" http://10.88.0.2:8080/big 2>/dev/null 3>&- 9>&- &
	download=$!
	local deadline=$((SECONDS + PATIENCE))
	until [[ -s $BATS_TEST_TMPDIR/big ]]; do
		((SECONDS < deadline))
		sleep 0.1
	done
}

# passt_replaced PID: until there is another one, and it serves.
passt_replaced() {
	local deadline=$((SECONDS + PATIENCE))
	until [[ $(passt_pid) != "$1" ]] && from_outside curl -sS -m 2 http://10.88.0.2:8080/hello; do
		((SECONDS < deadline))
		sleep 0.1
	done
}

@test "much data, in both directions" {
	network_create
	config "$networked" "$(annotate memory 512M)" "$(annotate publish 8080:80,9000)" "$(order web)"
	type_to_guest
	start
	wait_for '^guest: ready'
	local sum
	sum=$(yes | head -c 20000000 | sha256sum)
	in_guest 'yes | head -c 20000000 >/www/big'
	[[ $(from_outside curl -sS -m 60 http://10.88.0.2:8080/big | sha256sum) == "$sum" ]]
	# The passt of Debian 12 gives a guest nothing more that has shut its own direction, as nc does without input.
	echo "order run 'mkfifo /run/nothing; nc -l -p 9000 <>/run/nothing | wc -c'" >&9
	# More than QEMU and passt have buffers for, as fast as it goes: neither may wait for the other. Passt accepts before
	# it knows whether the guest does.
	from_outside timeout $((2 * PATIENCE)) python3 -c '
import socket, time
while True:
    try:
        s = socket.create_connection(("10.88.0.2", 9000))
        for _ in range(800): s.sendall(b"x" * 100000)
        break
    except ConnectionError:
        time.sleep(0.3)'
	wait_for "^guest: run: 80000000"
	kill -QUIT "$pid"
	finish
}

@test "a passt that is killed while data flows: another one, or the guest is stopped" {
	network_create
	config "$networked" "$(annotate publish 8080:80)" "$(order web)"
	type_to_guest
	start
	wait_for '^guest: ready'
	download_big
	local first
	first=$(passt_pid)
	kill -KILL "$first"
	local ended=0
	wait "$download" || ended=$?
	[[ $ended -eq 18 || $ended -eq 56 ]] # cut off
	if qemu_takes_another_passt; then
		wait_for 'passt, the guest.s network at eth0, has ended, and is started again' "$err"
		passt_replaced "$first"
		has_not 'guest: power' # the guest did not notice
		[[ $(from_outside curl -sS -m 60 http://10.88.0.2:8080/big | wc -c) == 30000000 ]]
		for _ in {1..15}; do
			! grep -q 'again and again' "$err" || break
			first=$(passt_pid)
			kill -KILL "$first"
			deadline=$((SECONDS + PATIENCE))
			until [[ $(passt_pid) != "$first" ]] || grep -q 'again and again' "$err"; do
				((SECONDS < deadline))
				sleep 0.05
			done
		done
		wait_for 'passt, .* has ended again and again; the guest cannot do without, and is stopped' "$err"
	else
		wait_for 'passt, the guest.s network at eth0, has ended; the guest cannot do without, and is stopped' "$err"
	fi
	finish
	expect_status 69
	has 'power button'
	has 'the guest was stopped, since a program that serves one of its devices has ended' "$err"
}

@test "passt serves the guest on when the engine has died" {
	network_create
	config "$networked" "$(annotate publish 8080:80)" "$(order web)"
	start
	wait_for '^guest: ready'
	local passt
	passt=$(passt_pid)
	kill -KILL "$(engine_pid)"
	run -0 from_outside curl -sS -m 10 http://10.88.0.2:8080/hello
	wait_for 'the VM is taken over' "$err"
	[[ $(passt_pid) == "$passt" ]]
	kill -KILL "$passt"
	if qemu_takes_another_passt; then
		wait_for 'is started again' "$err"
		passt_replaced "$passt"
		kill -TERM "$pid"
		finish
		expect_status 0
	else
		finish
		expect_status 69
	fi
}

@test "a VM whose ocivirt was killed is gone on with, and so is its network" {
	network_create
	config "$networked" "$(annotate publish 8080:80)" "$(annotate ready port:80)" "$(order web)"
	start --id vm
	wait_for '^guest: ready'
	local passt engine
	passt=$(passt_pid)
	engine=$(engine_pid)
	kill -STOP "$pid"
	kill -KILL "$engine" "$pid"
	wait "$pid" || true
	[[ -e /proc/$passt ]]
	start --id vm
	wait_for 'this one goes on with it' "$err"
	wait_for 'the VM is taken over' "$err"
	[[ $(passt_pid) == "$passt" ]]
	wait_for 'the guest accepts connections to port 8080' "$err"
	run -0 from_outside curl -sS -m 10 http://10.88.0.2:8080/hello
	kill -TERM "$pid"
	finish
	expect_status 0
}

@test "ready=port:N is when the guest accepts, and answers or closes" {
	network_create
	type_to_guest
	config "$networked" "$(annotate publish 8080:80)" "$(annotate ready port:80)" "$(order wait)"
	start
	wait_for '^guest: ready'
	sleep 2
	run -1 "$ocivirt" health --root "$root"
	[[ $output == *'nothing in the guest accepts connections that come to port 8080'*', within 5 s' ]]
	# One that neither says a word nor closes.
	in_guest 'nc -ll -p 80 -e sleep 600 >/dev/null 2>&1 &'
	sleep 10
	run -1 "$ocivirt" health --root "$root"
	in_guest 'pidof sleep && killall nc sleep'
	[[ $status -eq 0 ]]
	echo 'order web' >&9
	wait_for 'the guest accepts connections to port 8080' "$err"
	run -0 "$ocivirt" health --root "$root"
	kill -QUIT "$pid"
	finish
}

@test "several networks are as many devices" {
	network_create 2
	config "$networked" "$(annotate publish 8080:80)" "$(annotate ready port:80)" "$(order web)"
	start
	wait_for '^guest: ready'
	wait_for 'the guest accepts connections to port 8080' "$err"
	has '^guest: address eth0 10\.88\.0\.2/24'
	has '^guest: address eth1 10\.88\.1\.2/24'
	run -0 from_outside curl -sS -m 10 http://10.88.0.2:8080/hello
	run -0 from_outside curl -sS -m 10 http://10.88.1.2:8080/hello
	kill -QUIT "$pid"
	finish
}
