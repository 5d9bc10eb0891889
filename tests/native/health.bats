#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whether a VM is alive and ready: the command health, and probes and metrics on TCP.
# bats file_tags=threads

load helpers
setup() { common_setup; }
teardown() {
	[[ -z ${helper-} ]] || kill "$helper" 2>/dev/null || true
	common_teardown
}

# health STATUS LINE [OPTION]: what the command health says, and its status.
health() {
	run "$ocivirt" health --root "$root" "${@:3}"
	[[ $status -eq $1 && $output == "$2" ]] && return
	echo "health ${*:3} says \"$output\", with status $status"
	return 1
}

healthy_within() {
	local deadline=$((SECONDS + PATIENCE))
	until "$ocivirt" health --root "$root" >/dev/null; do
		((SECONDS < deadline))
		sleep 0.1
	done
}

# halt_at WORDS: QEMU, $qemu, is stopped when ocivirt has said them: the guest goes no further while it is looked at.
halt_at() {
	wait_for "$1" "$err"
	qemu=$(qemu_pid)
	kill -STOP "$qemu"
}

client() {
	"$ocivirt" "$1" --root "$root" "${@:2}"
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# get STATUS PATH [CURL-OPTION...]: from $address; the body is $body.
get() {
	local answer
	answer=$(curl -sS --max-time 30 -w '\n%{http_code}' "http://$address$2" "${@:3}")
	body=$(head -n -1 <<<"$answer")
	[[ $(tail -n 1 <<<"$answer") == "$1" ]] && return
	echo "$2 is answered with: $answer"
	return 1
}

metrics() {
	get 200 /metrics
	"$BATS_TEST_DIRNAME/metrics.py" <<<"$body"
}

@test "ready by a line on the console: until it is there, through pause, loss and reset, to the end" {
	local waits='not ready: the console has not shown a line that matches "^guest: listening$"'
	config "$(order wait)" "$(annotate ready 'console:^guest: listening$')"
	health 1 "not ready: there is no VM in the root directory $root"
	start
	halt_at 'guest running'
	health 1 "$waits"
	health 1 "${waits/ready/started}" --startup
	health 0 live --live
	kill -CONT "$qemu"
	wait_for '^guest: listening'
	healthy_within
	health 0 ready --ready
	health 0 started --startup
	client pause
	health 1 'not ready: the guest is paused'
	health 0 live --live
	health 0 started --startup
	client resume
	health 0 ready
	# What was seen outlives who has seen it.
	kill -KILL "$(engine_pid)"
	wait_for 'the VM is taken over' "$err"
	health 0 ready
	client reset
	halt_at 'the guest rebooted'
	health 1 "$waits"
	health 0 started --startup
	kill -CONT "$qemu"
	healthy_within
	run -0 curl -sS --unix-socket "$root/control.sock" http://localhost/v1/health
	[[ $output == '{"live":true,"ready":true,"started":true,"reasons":[]}' ]]
	client stop
	finish
	health 1 "not live: there is no VM in the root directory $root" --live
}

@test "what was seen on the console is known to the next ocivirt, until the guest reboots" {
	config "$(order wait)" "$(annotate ready 'console:^guest: listening$')"
	start --id vm
	healthy_within
	kill_all
	start --id vm
	wait_for 'the VM is taken over' "$err"
	health 0 ready
	health 0 started --startup
	client reset
	halt_at 'the guest rebooted'
	health 1 'not ready: the console has not shown a line that matches "^guest: listening$"'
	[[ $(jq .consoleSeen "$root/instance.json") == null ]]
	kill -CONT "$qemu"
	healthy_within
	client kill
	finish
	expect_status 137
}

@test "ready when it runs, which is the default; and while it is being stopped it is not" {
	config "$(order ignore)"
	start
	wait_for 'guest running' "$err"
	health 0 ready
	wait_for '^guest: listening'
	curl -sS --unix-socket "$root/control.sock" -X POST 'http://localhost/v1/stop?timeout=1h'
	health 1 'not ready: the guest is being stopped'
	health 0 live --live
	client kill
	finish
	run -64 client health --live --ready
	run -64 client health argument
	run -0 "$ocivirt" health --help
	[[ $output == *--startup* ]]
}

@test "a prompt without an end of line makes it ready, too" {
	config "$(order shell)" "$(annotate ready 'console:^vm:[^ ]*# ')"
	start
	healthy_within
	client kill
	finish
}

@test "probes and metrics on TCP" {
	address=127.0.0.1:$(free_port)
	config "$(order wait)" "$(annotate ready 'console:^guest: listening')" "$(annotate http "$address")"
	start
	wait_for 'guest running' "$err"
	get 503 /readyz
	[[ $body == 'not ready: the console has not shown'* ]]
	get 200 /healthz
	[[ $body == live ]]
	healthy_within
	get 200 /readyz
	[[ $body == ready ]]
	[[ $(curl -sS -o /dev/null -w '%{content_type}' "http://$address/metrics") == 'text/plain; version=0.0.4; charset=utf-8' ]]
	local deadline=$((SECONDS + PATIENCE))
	until metrics && grep -qx 'ocivirt_domain_statistics_told 1' <<<"$body"; do
		((SECONDS < deadline))
	done
	# For that libvirt has looked at this QEMU alone, not at each that is installed.
	[[ $(find "$root/cache/qemu/capabilities" -name '*.xml' | wc -l) == 1 ]]
	# libvirt's, by name and number.
	local memory
	memory=$(client stats --format json | jq '.["balloon.maximum"]')
	grep -qx "ocivirt_domain_balloon_maximum_kibibytes $memory" <<<"$body"
	grep -qx 'ocivirt_domain_state_state 1' <<<"$body"
	grep -qE '^ocivirt_domain_cpu_time_nanoseconds_total [1-9][0-9]+$' <<<"$body"
	grep -qE '^ocivirt_domain_cpu_user_nanoseconds_total [1-9][0-9]+$' <<<"$body"
	grep -qE '^ocivirt_domain_vcpu_time_nanoseconds_total\{vcpu="0"\} [1-9]' <<<"$body"
	grep -qx 'ocivirt_lifecycle{state="running"} 1' <<<"$body"
	grep -qx 'ocivirt_engine_losses_total 0' <<<"$body"
	# Read only, and nothing of the control API.
	get 405 /healthz -X POST
	get 405 /metrics -X DELETE
	get 400 '/metrics?x=1'
	for path in / /v1/state /v1/kill /v1/exec /metrics/ /healthz/x; do
		get 404 "$path"
		get 404 "$path" -X POST
	done
	run curl -sS --unix-socket "$root/control.sock" -w '%{http_code}' http://localhost/metrics
	[[ $output == *404 ]]
	# More silent clients than there may be.
	python3 -c 'if True:
		import socket, sys, time
		host, port = sys.argv[1].split(":")
		crowd = [socket.create_connection((host, int(port))) for _ in range(100)]
		print("there", flush=True)
		time.sleep(600)' "$address" >"$BATS_TEST_TMPDIR/crowd" </dev/null 3>&- &
	helper=$!
	wait_for there "$BATS_TEST_TMPDIR/crowd"
	get 200 /readyz
	kill "$helper"
	# Another engine serves the same socket.
	kill -KILL "$(engine_pid)"
	wait_for 'the VM is taken over' "$err"
	metrics
	grep -qx 'ocivirt_engine_losses_total 1' <<<"$body"
	grep -qx 'ocivirt_ready 1' <<<"$body"
	# QEMU hangs: what is known is told, to as many as ask.
	kill -STOP "$(qemu_pid)"
	for _ in {1..20}; do
		metrics
		grep -qx 'ocivirt_domain_statistics_told 0' <<<"$body"
		grep -qx 'ocivirt_ready 1' <<<"$body"
		[[ $body != *ocivirt_domain_state_state* ]]
	done
	# And they have not used up what others may ask.
	[[ $(curl -sS -o /dev/null -w '%{http_code}' --max-time 30 --unix-socket "$root/control.sock" http://localhost/v1/stats) == 504 ]]
	get 200 /healthz
	client kill
	finish
	expect_status 137
}

# deaf CLIENTS: that many who do not read, in the background.
deaf() {
	"$BATS_TEST_DIRNAME/deaf.py" "$address" "$1" >"$BATS_TEST_TMPDIR/deaf" </dev/null 3>&- &
	helper=$!
	wait_for there "$BATS_TEST_TMPDIR/deaf"
}

@test "who does not read keeps nobody from probing, nor takes the container's memory, nor holds up its end" {
	local unread i
	address=127.0.0.1:$(free_port)
	config "$(order wait)" "$(annotate http "$address")"
	# Each door waits for its clients at the end: what the first has left behind would show while the second does.
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_stack_use_after_return=1 start
	wait_for 'guest running' "$err"
	# More than there may be.
	deaf 100
	for i in {1..10}; do
		get 200 /healthz --max-time 8
		sleep 0.2
	done
	kill "$helper"
	# So few that nobody is in their way. What the kernel keeps for each is what counts.
	deaf 40
	for i in {1..16}; do
		unread=$(ss -tnH state established "sport = :${address#*:}" | awk '$2 > most { most = $2 } END { print most + 0 }')
		((unread <= 256 << 10)) || {
			echo "$unread bytes wait for one client"
			return 1
		}
		sleep 0.5
	done
	((unread > 0))
	client kill
	finish
	expect_status 137
	kill "$helper"
}

@test "an address that cannot be had ends the start, and a wrong one is a problem of the config" {
	local port
	port=$(free_port)
	python3 -c 'if True:
		import socket, sys, time
		s = socket.socket()
		s.bind(("127.0.0.1", int(sys.argv[1])))
		s.listen()
		print("there", flush=True)
		time.sleep(600)' "$port" >"$BATS_TEST_TMPDIR/other" </dev/null 3>&- &
	helper=$!
	wait_for there "$BATS_TEST_TMPDIR/other"
	config "$(order wait)" "$(annotate http "127.0.0.1:$port")"
	start
	finish
	expect_status 69
	has "error: the setting http: cannot listen on 127.0.0.1:$port: Address already in use; something else listens there: choose another port" "$err"
	[[ ! -e $root/control.sock ]]
	kill "$helper"
	config "$(order wait)" "$(annotate http 192.0.2.1:9100)"
	start
	finish
	expect_status 69
	has 'cannot listen on 192.0.2.1:9100: Cannot assign requested address; this container has no such address' "$err"
	config "$(order wait)" "$(annotate http :0)"
	start
	finish
	expect_status 78
	has '":0" is not an address and a port' "$err"
}

@test "all addresses, of both IPs" {
	local port
	port=$(free_port)
	config "$(order wait)"
	OCIVIRT_HTTP=:$port start
	wait_for 'guest running' "$err"
	address=127.0.0.1:$port get 200 /healthz
	if [[ -s /proc/net/if_inet6 ]]; then
		address="[::1]:$port" get 200 /healthz
	fi
	client kill
	finish
}
