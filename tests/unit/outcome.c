// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/lifecycle.h"
#include "tests/unit/expect.h"

#include <signal.h>
#include <string.h>

/* wait(2)'s encoding of an exit and of a death by signal. */
#define EXITED(status) ((status) << 8)
#define SIGNALED(signal) (signal)
#define CORE_DUMPED(signal) ((signal) | 0x80)

/* The exit statuses of the contract, each with all the ways that lead there. */
static const struct outcome {
    const char *what;
    int status;
    const char *fragment; /* of the message */
    struct lifecycle_facts facts;
} outcomes[] = {
    {"the guest powered off",
     0,
     "the guest powered off",
     {.guest_ran = true, .guest_powered_off = true, .status_known = true}},
    {"asked to, it did",
     0,
     "the guest powered off",
     {.guest_ran = true, .guest_powered_off = true, .stop_asked = true, .status_known = true}},
    {"it did, and QEMU was slow to go",
     0,
     "the guest powered off",
     {.guest_ran = true,
      .guest_powered_off = true,
      .stop_asked = true,
      .sent_term = true,
      .status_known = true}},
    {"it did so as it was to be ended at once",
     0,
     "the guest powered off",
     {.guest_ran = true,
      .guest_powered_off = true,
      .force_asked = true,
      .sent_term = true,
      .status_known = true}},
    {"QEMU's status never came",
     0,
     "the guest powered off",
     {.guest_ran = true, .guest_powered_off = true}},
    {"QEMU ended well, and libvirt's word never came",
     0,
     "the guest powered off",
     {.guest_ran = true, .status_known = true}},
    {"a status means nothing before it is known",
     70,
     "nobody could tell its exit status",
     {.guest_ran = true, .qemu_status = SIGNALED(SIGSEGV)}},
    {"stopped while QEMU was being started", 0, "before the guest ran", {.stop_asked = true}},
    {"stopped when QEMU was there",
     0,
     "before the guest ran",
     {.stop_asked = true, .sent_term = true, .status_known = true}},
    {"stopped when QEMU was there and did not go",
     0,
     "before the guest ran",
     {.stop_asked = true,
      .sent_term = true,
      .sent_kill = true,
      .status_known = true,
      .qemu_status = SIGNALED(SIGKILL)}},

    {"it reported a status",
     7,
     "the guest powered off and reported exit status 7",
     {.guest_ran = true,
      .guest_powered_off = true,
      .status_known = true,
      .guest_reported = true,
      .guest_status = 7}},
    {"it reported 0",
     0,
     "reported exit status 0",
     {.guest_ran = true, .guest_powered_off = true, .guest_reported = true}},
    {"a status means nothing before it is reported",
     0,
     "the guest powered off",
     {.guest_ran = true, .guest_powered_off = true, .guest_status = 7}},
    {"it reported a status, and libvirt's word never came",
     7,
     "reported exit status 7",
     {.guest_ran = true, .status_known = true, .guest_reported = true, .guest_status = 7}},
    {"it reported a status and powered off as it was to be ended at once",
     7,
     "reported exit status 7",
     {.guest_ran = true,
      .guest_powered_off = true,
      .force_asked = true,
      .sent_term = true,
      .status_known = true,
      .guest_reported = true,
      .guest_status = 7}},
    {"it reported a status, and crashed",
     134,
     "the guest crashed",
     {.guest_ran = true, .guest_crashed = true, .guest_reported = true, .guest_status = 7}},
    {"it reported a status, and did not power off",
     137,
     "did not power off within its stop-timeout",
     {.guest_ran = true,
      .stop_asked = true,
      .sent_term = true,
      .status_known = true,
      .guest_reported = true,
      .guest_status = 7}},
    {"nothing that did not run reports",
     0,
     "before the guest ran",
     {.stop_asked = true, .guest_reported = true, .guest_status = 7}},

    {"the guest crashed", 134, "the guest crashed", {.guest_ran = true, .guest_crashed = true}},
    {"it crashed when it was to stop",
     134,
     "the guest crashed",
     {.guest_ran = true, .guest_crashed = true, .stop_asked = true, .status_known = true}},
    {"it crashed, and QEMU had to be ended",
     134,
     "the guest crashed",
     {.guest_ran = true,
      .guest_crashed = true,
      .force_asked = true,
      .sent_term = true,
      .sent_kill = true,
      .status_known = true,
      .qemu_status = SIGNALED(SIGKILL)}},
    {"it crashed and powered off after that",
     134,
     "the guest crashed",
     {.guest_ran = true, .guest_crashed = true, .guest_powered_off = true}},

    {"the time to stop ran out",
     137,
     "did not power off within its stop-timeout and was ended: QEMU got SIGTERM",
     {.guest_ran = true, .stop_asked = true, .sent_term = true, .status_known = true}},
    {"and SIGTERM was not enough",
     137,
     "QEMU got SIGKILL",
     {.guest_ran = true,
      .stop_asked = true,
      .sent_term = true,
      .sent_kill = true,
      .status_known = true,
      .qemu_status = SIGNALED(SIGKILL)}},
    {"ended at once",
     137,
     "ended at once, as asked: QEMU got SIGTERM",
     {.guest_ran = true, .force_asked = true, .sent_term = true, .status_known = true}},
    {"ended at once, by SIGKILL",
     137,
     "ended at once, as asked: QEMU got SIGKILL",
     {.guest_ran = true,
      .force_asked = true,
      .sent_term = true,
      .sent_kill = true,
      .status_known = true,
      .qemu_status = SIGNALED(SIGKILL)}},
    {"asked twice",
     137,
     "ended at once, as asked",
     {.guest_ran = true,
      .stop_asked = true,
      .force_asked = true,
      .sent_term = true,
      .status_known = true}},
    {"the start ended at once", 137, "the start was ended at once", {.force_asked = true}},
    {"the start ended at once, by SIGTERM",
     137,
     "ended at once",
     {.force_asked = true, .sent_term = true, .status_known = true}},
    {"QEMU hung after the guest's power-off",
     137,
     "SIGKILL",
     {.guest_ran = true,
      .guest_powered_off = true,
      .stop_asked = true,
      .sent_term = true,
      .sent_kill = true,
      .status_known = true,
      .qemu_status = SIGNALED(SIGKILL)}},
    {"our SIGTERM is not somebody's signal",
     137,
     "stop-timeout",
     {.guest_ran = true,
      .host_shutdown = true,
      .stop_asked = true,
      .sent_term = true,
      .status_known = true}},

    {"QEMU died of SIGSEGV",
     139,
     "QEMU died of signal 11 (Segmentation fault)",
     {.guest_ran = true, .status_known = true, .qemu_status = CORE_DUMPED(SIGSEGV)}},
    {"QEMU died of SIGSEGV as the guest was to stop",
     139,
     "QEMU died of signal 11",
     {.guest_ran = true,
      .stop_asked = true,
      .status_known = true,
      .qemu_status = SIGNALED(SIGSEGV)}},
    {"QEMU aborted",
     134,
     "QEMU died of signal 6",
     {.guest_ran = true, .status_known = true, .qemu_status = CORE_DUMPED(SIGABRT)}},
    {"QEMU died before the guest ran",
     139,
     "QEMU died of signal 11",
     {.status_known = true, .qemu_status = SIGNALED(SIGSEGV)}},
    {"somebody's SIGKILL",
     137,
     "the kernel's OOM killer is the likely cause",
     {.guest_ran = true, .status_known = true, .qemu_status = SIGNALED(SIGKILL)}},
    {"the OOM killer",
     137,
     "the kernel's OOM killer ended it; raise the container's memory limit",
     {.guest_ran = true,
      .oom_killed = true,
      .status_known = true,
      .qemu_status = SIGNALED(SIGKILL)}},
    {"somebody's SIGTERM",
     143,
     "by a signal that ocivirt did not send",
     {.guest_ran = true, .host_shutdown = true, .status_known = true}},
    {"libvirt did not take it over",
     70,
     "libvirt could not take the VM over",
     {.guest_ran = true, .disowned = true, .status_known = true}},
    {"libvirt did not, and used force",
     70,
     "libvirt could not take the VM over",
     {.guest_ran = true, .disowned = true, .status_known = true, .qemu_status = SIGNALED(SIGKILL)}},
    {"QEMU died while it was taken over",
     139,
     "QEMU died of signal 11",
     {.guest_ran = true, .disowned = true, .status_known = true, .qemu_status = SIGNALED(SIGSEGV)}},
    {"the guest powered off while it was taken over",
     0,
     "the guest powered off",
     {.guest_ran = true, .disowned = true, .guest_powered_off = true, .status_known = true}},
    {"QEMU gave up",
     70,
     "QEMU exited with status 1",
     {.guest_ran = true, .status_known = true, .qemu_status = EXITED(1)}},
};

static void test_outcomes(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(outcomes); i++) {
        const struct outcome *o = &outcomes[i];
        g_autofree char *message = NULL;
        expect_uint(o->what, lifecycle_outcome(&o->facts, &message), o->status);
        if (message == NULL || strstr(message, o->fragment) == NULL) {
            g_test_message("%s: \"%s\" is not in \"%s\"", o->what, o->fragment, message);
            g_test_fail();
        }
    }
}

/* The OOM killer sends SIGKILL: what died of anything else was not its victim, even if it has
 * struck in the meantime. */
static void test_oom_is_sigkill(void)
{
    struct lifecycle_facts facts = {.guest_ran = true,
                                    .oom_killed = true,
                                    .status_known = true,
                                    .qemu_status = SIGNALED(SIGSEGV)};
    g_autofree char *message = NULL;
    g_assert_cmpint(lifecycle_outcome(&facts, &message), ==, 139);
    g_test_message("%s", message);
    g_assert_null(strstr(message, "OOM"));
}

/* Whatever is known: there is a message for it, and a status of the contract. */
static void test_all_combinations(void)
{
    static const int statuses[] = {EXITED(0), EXITED(1), SIGNALED(SIGKILL), SIGNALED(SIGSEGV)};
    for (unsigned bits = 0; bits < 1u << 10; bits++) {
        for (gsize i = 0; i < G_N_ELEMENTS(statuses); i++) {
            struct lifecycle_facts facts = {
                .guest_ran = bits & 1,
                .guest_powered_off = bits & 2,
                .guest_crashed = bits & 4,
                .host_shutdown = bits & 8,
                .stop_asked = bits & 16,
                .force_asked = bits & 32,
                .sent_term = bits & 64,
                .sent_kill = bits & 128,
                .oom_killed = bits & 256,
                .status_known = bits & 512,
                .qemu_status = statuses[i],
            };
            if (facts.sent_kill && !facts.sent_term) {
                continue; /* no ladder has such rungs */
            }
            g_autofree char *message = NULL;
            g_autofree char *row = g_strdup_printf("%#x, %d", bits, statuses[i]);
            int status = lifecycle_outcome(&facts, &message);
            expect(row, message != NULL && *message != '\0');
            expect(row, status == 0 || status == 70 || status == 134 || status == 137 ||
                            status == 139 || status == 143);
            expect(row, !facts.guest_crashed || status == 134);
            /* success is what the guest did, or what was done before it could do anything */
            bool guest_was_killed = facts.guest_ran && facts.sent_kill;
            expect(row, status != 0 || !guest_was_killed);
            /* and only that is what a status of the guest's own replaces */
            facts.guest_reported = true;
            facts.guest_status = 7;
            g_autofree char *reported = NULL;
            expect_uint(row, lifecycle_outcome(&facts, &reported),
                        status == 0 && facts.guest_ran ? 7 : status);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/outcome/outcomes", test_outcomes);
    g_test_add_func("/outcome/oom-is-sigkill", test_oom_is_sigkill);
    g_test_add_func("/outcome/all-combinations", test_all_combinations);
    return g_test_run();
}
