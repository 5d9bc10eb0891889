// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* A QEMU's version as one number, as vm_spec.h has it. */

/* What @emulator says of itself; 0: it does not. Blocks, for some 30 ms. */
unsigned qemu_version_ask(const char *emulator);
/* What is said in @text, the output of "qemu-system-… --version"; 0: nothing. */
unsigned qemu_version_parse(const char *text);
