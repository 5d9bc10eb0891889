# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash

# What libvirt finds out of QEMU is found out once for all tests, as it is when an image is built.
setup_suite() {
	local project
	project=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export PRIMED=$BATS_SUITE_TMPDIR/primed
	TSAN_OPTIONS=suppressions=$BATS_TEST_DIRNAME/tsan.supp LSAN_OPTIONS=suppressions=$BATS_TEST_DIRNAME/lsan.supp \
		"${OCIVIRT:-$project/build/ocivirt}" prime --root "$PRIMED"
}
