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

# What makes the test guest's kernel boot fast, as a JSON array; which console it has is ocivirt's to say.
fast_parameters() {
	jq -R -c 'split(" ") | map(select(startswith("console=") | not))' "$project/build/guest/cmdline"
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

# at_most MS SINCE: less than MS milliseconds have passed; valgrind needs its time.
at_most() {
	local passed=$(($(now_ms) - $2)) limit=$1
	[[ -z ${VALGRIND-} ]] || limit=$(($1 * 4))
	((passed <= limit)) && return
	echo "took $passed ms, more than $limit"
	return 1
}

# at_least MS SINCE
at_least() {
	local passed=$(($(now_ms) - $2))
	((passed >= $1)) && return
	echo "took $passed ms, less than $1"
	return 1
}

# What ocivirt and the guest said in a test that failed; for its teardown.
tell_of_failure() {
	[[ -z ${BATS_TEST_COMPLETED-} ]] || return 0
	local file
	for file in "${err-}" "${out-}"; do
		[[ ! -s $file ]] || printf '%s\n' "the last words in ${file##*/}:" "$(tail -n 20 "$file" | tr -d '\r')"
	done
}
