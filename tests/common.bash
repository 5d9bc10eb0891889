# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What all bats tests share: filters for their config.json, and assertions that say what they saw instead. $out is the
# guest's console, $err ocivirt's own words, $status the exit status.

bats_require_minimum_version 1.5.0

# order WORD: the jq filter that gives the guest an order.
order() {
	echo ".vm.kernel.parameters += [\"guest.order=$1\"]"
}

annotate() {
	echo ".annotations[\"org.ocivirt.$1\"] = \"$2\""
}

has() {
	grep -qaE -- "$1" "${2:-$out}" && return
	echo "no \"$1\" in ${2:-$out}:"
	tail -n 20 "${2:-$out}"
	return 1
}

has_not() {
	! has "$@" >/dev/null && return
	echo "\"$1\" in ${2:-$out}"
	return 1
}

expect_status() {
	[[ $status -eq $1 ]] && return
	echo "exit status $status instead of $1"
	cat "$err"
	return 1
}

now_ms() {
	date +%s%3N
}

# at_most MS SINCE: less than MS milliseconds have passed.
at_most() {
	local passed=$(($(now_ms) - $2))
	((passed <= $1)) && return
	echo "took $passed ms, more than $1"
	return 1
}

# What ocivirt said in a test that failed; for its teardown.
tell_of_failure() {
	[[ -n ${BATS_TEST_COMPLETED-} || ! -s $err ]] || {
		echo "ocivirt's last words:"
		tail -n 20 "$err"
	}
}
