#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The control API, ROOT/control.sock, as docs/openapi.yaml describes it.
# bats file_tags=threads

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

# api PATH [CURL-OPTION...]: the answer's body, and its status on a line of its own.
api() {
	curl -sS --max-time 30 --unix-socket "$root/control.sock" -w '\n%{http_code}\n' "http://localhost$1" "${@:2}"
}

# answers STATUS PATH [CURL-OPTION...]: checks the status; the body is $body. An error's has a message.
answers() {
	local answer tries=0
	# 55 is curl's word for a broken pipe: who is refused while it still sends may not come to read why.
	until answer=$(api "${@:2}"); do
		[[ $? -eq 55 && $((tries += 1)) -le 5 ]] || return 1
	done
	body=$(head -n -1 <<<"$answer")
	if [[ $(tail -n 1 <<<"$answer") != "$1" ]]; then
		echo "$2 is answered with: $answer"
		return 1
	fi
	[[ $1 -lt 400 ]] || jq -e '.error | type == "string" and length > 0' <<<"$body"
}

post() {
	answers "$1" "/v1/$2" -X POST "${@:3}"
}

lifecycle() {
	answers 200 /v1/state
	[[ $(jq -r .vm.lifecycle <<<"$body") == "$1" ]]
}

socket_appears() {
	local deadline=$((SECONDS + PATIENCE))
	until [[ -S $root/control.sock ]]; do
		((SECONDS < deadline))
		sleep 0.02
	done
}

# "METHOD PATH" of everything that docs/openapi.yaml has.
described() {
	awk '/^  \// { path = $1 ~ "^/v1/" ? $1 : ""; sub(/:$/, "", path) }
		path && /^    [a-z]+:$/ { method = $1; sub(/:$/, "", method); print toupper(method), path }' \
		"$project/docs/openapi.yaml"
}

@test "from the start of a VM to its end" {
	config "$(order wait)"
	start --id web
	socket_appears
	[[ $(stat -c %a "$root/control.sock") == 600 ]]
	# From the first moment on, whatever libvirt is doing.
	curl -sSN --unix-socket "$root/control.sock" http://localhost/v1/events >"$BATS_TEST_TMPDIR/events" 3>&- &
	curl -sS --unix-socket "$root/control.sock" http://localhost/v1/wait >"$BATS_TEST_TMPDIR/wait" 3>&- &
	answers 200 /v1/state
	[[ $(jq -r .id,.bundle <<<"$body" | paste -sd' ') == "web $bundle" ]]
	wait_for '^guest: listening'
	answers 200 /v1/state
	jq -e --argjson pid "$(qemu_pid)" '.status == "running" and .pid == $pid and .vm["qemu-pid"] == $pid
		and .vm.lifecycle == "running" and .vm["guest-ran"] and .vm["agent-connected"] == false
		and .vm["ms-since-start"] > 0 and (.vm | has("exit-status") | not)' <<<"$body"

	post 409 resume
	post 200 pause
	lifecycle paused
	[[ $(jq -r .status <<<"$body") == running ]]
	post 409 pause
	[[ $(jq -r .lifecycle <<<"$body") == paused ]]
	post 409 reboot
	post 200 resume
	lifecycle running

	answers 200 /v1/stats
	jq -e '.["state.state"] == 1 and .["vcpu.current"] == 1 and .["balloon.maximum"] == 131072' <<<"$body"
	answers 200 /v1/xml
	xmllint --xpath 'string(/domain/name)' - <<<"$body" | grep -qx web

	post 200 reset
	wait_for '^event: reboot' "$BATS_TEST_TMPDIR/events"
	# It boots anew, and listens again.
	local deadline=$((SECONDS + PATIENCE))
	until [[ $(grep -ac '^guest: listening' "$out") -ge 2 ]]; do
		((SECONDS < deadline))
		sleep 0.1
	done
	post 202 stop
	finish
	expect_status 0
	wait
	[[ ! -e $root/control.sock ]]
	[[ $(jq '.["exit-status"]' "$BATS_TEST_TMPDIR/wait") == 0 ]]
	sed -n 's/^data: //p' "$BATS_TEST_TMPDIR/events" | jq -r '.lifecycle // empty' | paste -sd' ' |
		grep -qE '^(creating )?(preparing )?running paused running stopping leaving ended$'
	[[ $(sed -n 's/^data: //p' "$BATS_TEST_TMPDIR/events" | tail -n 1 | jq -c '[.event, .["exit-status"]]') == '["end",0]' ]]
}

@test "all that docs/openapi.yaml describes is served, and nothing else" {
	config "$(order wait)"
	start
	socket_appears
	local path method allowed count=0
	while read -r allowed path; do
		count=$((count + 1))
		for method in GET POST PUT DELETE PATCH OPTIONS TRACE BREW; do
			if [[ $method == "$allowed" ]]; then
				# Found, and refused before it does anything.
				answers 400 "$path?no-such-parameter=1" -X "$method"
			else
				answers 405 "$path" -X "$method"
				[[ $(api "$path" -X "$method" -D - -o /dev/null | tr -d '\r' | sed -n 's/^Allow: //p') == "$allowed" ]]
			fi
		done
		for path in "${path%?}" "$path/" "${path/v1/v2}" "${path^^}"; do
			answers 404 "$path" -X "$allowed"
		done
	done < <(described)
	[[ $count -eq 17 ]]
	for path in / /v1 /v1/ /v1/snapshot /healthz /readyz /metrics; do
		answers 404 "$path"
	done
	kill -QUIT "$pid"
	finish
}

@test "what is too much, or wrong, is answered with 4xx and does nothing" {
	config "$(order wait)"
	start
	socket_appears
	head -c 65536 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/body"
	post 400 stop --data-binary "@$BATS_TEST_TMPDIR/body"
	echo >>"$BATS_TEST_TMPDIR/body"
	post 413 stop --data-binary "@$BATS_TEST_TMPDIR/body" -H Expect:
	post 413 stop --data-binary "@$BATS_TEST_TMPDIR/body" -H Expect: -H 'Transfer-Encoding: chunked'
	answers 413 /v1/state -X GET --data-binary "@$BATS_TEST_TMPDIR/body" -H Expect:
	post 400 'stop?timeout=soon'
	[[ $(jq -r .error <<<"$body") == *'"soon"'*'500ms'* ]]
	post 400 'stop?timeout=25h'
	post 400 'stop?timeout=1s&timeout=2s'
	post 400 'stop?timeout=%00'
	post 400 'pause?timeout=1s'
	post 400 stop --data '{"timeout": 3}'
	post 400 kill --data '{"now": true}'
	post 400 stop --data '['
	answers 426 /v1/console
	answers 426 /v1/console -H 'Connection: Upgrade' -H 'Upgrade: websocket'
	# What libmicrohttpd itself refuses.
	local long
	long=$(head -c 20000 /dev/zero | tr '\0' x)
	[[ $(api /v1/state -H "X: $long" | tail -n 1) == 4?? ]]
	[[ $(api "/v1/$long" | tail -n 1) == 4?? ]]
	[[ $(api /v1/state -H Host: | tail -n 1) == 400 ]]
	lifecycle creating || lifecycle running || lifecycle preparing
	kill -QUIT "$pid"
	finish
}

@test "another user is refused, even one who gets at the socket" {
	config "$(order wait)"
	start
	socket_appears
	chmod 711 "$root"
	run -7 setpriv --reuid 65534 --regid 65534 --clear-groups curl -sS --unix-socket "$root/control.sock" http://localhost/v1/state
	chmod 666 "$root/control.sock"
	run -0 setpriv --reuid 65534 --regid 65534 --clear-groups curl -sS -w '%{http_code}' --unix-socket "$root/control.sock" -X POST http://localhost/v1/kill
	[[ $output == *'"error"'*'403' ]]
	answers 200 /v1/state
	[[ $(jq -r .vm.lifecycle <<<"$body") == @(creating|preparing|running) ]]
	kill -QUIT "$pid"
	finish
}

@test "24 clients, half of them rude" {
	config "$(order flood)" "$(annotate console off)"
	# A sanitizer keeps what was freed, up to so much, and the thread sanitizer a history of each thread.
	local mib=16
	[[ ! ${SANITIZE-}${VALGRIND-} ]] || mib=128
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1 start
	wait_for 'guest running' "$err"
	run "$BATS_TEST_DIRNAME/crowd.py" "$root/control.sock" "$(engine_pid)" $mib
	echo "$output"
	expect_status 0
	[[ $output == "1400 requests answered"* ]]
	kill -QUIT "$pid"
	finish
	expect_status 137
}

@test "who waits for ever keeps nobody from asking, nor from stopping the VM" {
	config "$(order wait)"
	start
	wait_for 'guest running' "$err"
	local waiting=
	for _ in {1..40}; do
		curl -s --unix-socket "$root/control.sock" http://localhost/v1/wait >>"$BATS_TEST_TMPDIR/waited" 3>&- &
		waiting+=" $!"
		curl -s --unix-socket "$root/control.sock" http://localhost/v1/events >>"$BATS_TEST_TMPDIR/events" 3>&- &
		waiting+=" $!"
	done
	wait_for 'requests that may take long' "$BATS_TEST_TMPDIR/waited"
	wait_for 'requests that may take long' "$BATS_TEST_TMPDIR/events"
	answers 503 /v1/events
	answers 200 /v1/state
	run -0 "$ocivirt" kill --root "$root"
	finish
	expect_status 137
	# shellcheck disable=SC2086 # a list
	wait $waiting || true
	[[ $(grep -c '"exit-status": *137' "$BATS_TEST_TMPDIR/waited") -ge 1 ]]
}

@test "while QEMU hangs, state and kill work as ever" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	kill -STOP "$(qemu_pid)"
	local asked i
	# More than may wait, and more than there are threads.
	for i in {1..20}; do
		api /v1/stats >"$BATS_TEST_TMPDIR/stats.$i" 3>&- &
		asked+=" $!"
	done
	api /v1/pause -X POST >"$BATS_TEST_TMPDIR/pause" 3>&- &
	asked+=" $!"
	# Those that are too many know it at once, the others wait.
	local deadline=$((SECONDS + PATIENCE))
	until [[ $(grep -l '^503' "$BATS_TEST_TMPDIR"/stats.* | wc -l) -eq 4 ]]; do
		((SECONDS < deadline))
		sleep 0.1
	done
	until lifecycle paused; do
		((SECONDS < deadline))
		sleep 0.1
	done
	[[ $(cat "$BATS_TEST_TMPDIR"/stats.* | grep -c '^50[0-9]$') -eq 4 ]]
	# shellcheck disable=SC2086 # a list
	wait $asked
	[[ $(grep -l '^504' "$BATS_TEST_TMPDIR"/stats.* | wc -l) -eq 16 ]]
	grep -qx 504 "$BATS_TEST_TMPDIR/pause"
	lifecycle paused
	"$ocivirt" state --root "$root" | jq -e '.vm.lifecycle == "paused"'
	"$ocivirt" kill --root "$root"
	finish
	expect_status 137
}

@test "a stop has its own time, and a second one can shorten it" {
	config "$(order ignore)"
	start
	wait_for '^guest: listening'
	post 202 'stop?timeout=1h'
	[[ $(jq -r .lifecycle <<<"$body") == stopping ]]
	sleep 0.1
	# No force, unlike a second signal.
	post 202 stop
	lifecycle stopping
	post 202 stop --data '{"timeout": "100ms"}'
	finish
	expect_status 137
	has 'did not power off within' "$err"
}

@test "a VM that could not be made has an exit status, too" {
	config '.vm.hypervisor.parameters = ["-no-such-option"]' '.vm.hypervisor.path = "/usr/bin/qemu-system-x86_64"'
	start
	socket_appears
	run -0 curl -sS --unix-socket "$root/control.sock" http://localhost/v1/wait
	finish
	[[ $(jq '.["exit-status"]' <<<"$output") == "$status" && $status -gt 0 ]]
}

@test "a socket that a killed ocivirt has left is replaced" {
	config "$(order wait)"
	start
	wait_for '^guest: ready'
	local engine qemu
	engine=$(engine_pid)
	qemu=$(qemu_pid)
	kill -KILL "$pid" "$engine" "$qemu"
	wait "$pid" || true
	while kill -0 "$qemu" 2>/dev/null || kill -0 "$engine" 2>/dev/null; do sleep 0.05; done
	[[ -S $root/control.sock ]]
	run -69 "$ocivirt" pause --root "$root"
	[[ $output == *"the ocivirt that ran in $root is gone"* ]]
	start
	wait_for 'guest running' "$err"
	answers 200 /v1/state
	"$ocivirt" stop --root "$root" --timeout 0
	finish
}
