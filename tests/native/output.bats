#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whoever asks for something is told if it cannot be written.

load helpers
setup() { common_setup; }
teardown() { common_teardown; }

@test "output that cannot be written is an error, and no other one is hidden by that" {
	local words no_room='ocivirt: error: cannot write to standard output: No space left on device'
	config
	for words in --version --help version 'state --help' "validate --bundle $bundle" "xml --bundle $bundle --root $root" \
		"validate --bundle $bundle --format json"; do
		# shellcheck disable=SC2086 # a list
		run -69 full "$ocivirt" $words
		[[ ${lines[-1]} == "$no_room" ]]
	done
	config '.ociVersion = 1'
	run -78 full "$ocivirt" validate --bundle "$bundle"
	[[ ${lines[-1]} == "$no_room" ]]
	run -64 full "$ocivirt" nothing
	[[ $output != *"$no_room"* ]]
}

@test "a guest's console that nobody takes does not change how its ocivirt ends" {
	config "$(order poweroff)"
	prime_root
	run -0 full "$ocivirt" run --bundle "$bundle" --root "$root"
	[[ $output == *'the guest powered off'* ]]
}
