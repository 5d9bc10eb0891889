// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/lifecycle.h"
#include "tests/unit/expect.h"
#include "tests/unit/expectation.h"

#include <signal.h>
#include <string.h>

#define FOR_EACH_CELL(s, e)                                                                        \
    for (int s = 0; s < LIFECYCLE_STATES; s++)                                                     \
        for (int e = 0; e < LIFECYCLE_EVENTS; e++)

static char *cell_name(int s, int e)
{
    return g_strdup_printf("%s: %s", lifecycle_state_name(s), lifecycle_event_name(e));
}

/* Written from the contract (signals, stop ladder), not from the table. What is not in here leaves
 * all as it is. */
static const struct cell {
    enum lifecycle_state state;
    enum lifecycle_event event;
    enum lifecycle_state next;
    unsigned actions;
} expected[] = {
    {LIFECYCLE_CREATING, LIFECYCLE_MADE, LIFECYCLE_PREPARING, LIFECYCLE_PREPARE},
    {LIFECYCLE_CREATING, LIFECYCLE_FAILED, LIFECYCLE_ENDED, LIFECYCLE_FINISH},
    {LIFECYCLE_CREATING, LIFECYCLE_STOP, LIFECYCLE_ABORTING, LIFECYCLE_TIMEOUT},
    {LIFECYCLE_CREATING, LIFECYCLE_FORCE, LIFECYCLE_ENDED, LIFECYCLE_FINISH},

    {LIFECYCLE_ABORTING, LIFECYCLE_MADE, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_ABORTING, LIFECYCLE_FAILED, LIFECYCLE_ENDED, LIFECYCLE_FINISH},
    {LIFECYCLE_ABORTING, LIFECYCLE_FORCE, LIFECYCLE_ENDED, LIFECYCLE_FINISH},
    {LIFECYCLE_ABORTING, LIFECYCLE_DEADLINE, LIFECYCLE_ENDED, LIFECYCLE_FINISH},

    {LIFECYCLE_PREPARING, LIFECYCLE_CREATED, LIFECYCLE_RUNNING, LIFECYCLE_RUN},
    {LIFECYCLE_PREPARING, LIFECYCLE_HOOK_FAILED, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_PREPARING, LIFECYCLE_STOP, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_PREPARING, LIFECYCLE_FORCE, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_PREPARING, LIFECYCLE_GUEST_LEAVES, LIFECYCLE_LEAVING, 0},
    {LIFECYCLE_PREPARING, LIFECYCLE_QEMU_EXITED, LIFECYCLE_ENDED, LIFECYCLE_FINISH},

    {LIFECYCLE_RUNNING, LIFECYCLE_HOOK_FAILED, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_RUNNING, LIFECYCLE_STOP, LIFECYCLE_STOPPING, LIFECYCLE_ASK | LIFECYCLE_TIMEOUT},
    {LIFECYCLE_RUNNING, LIFECYCLE_FORCE, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_RUNNING, LIFECYCLE_PAUSE, LIFECYCLE_PAUSED, LIFECYCLE_SUSPEND},
    {LIFECYCLE_RUNNING, LIFECYCLE_HALTED, LIFECYCLE_PAUSED, 0},
    {LIFECYCLE_RUNNING, LIFECYCLE_REBOOT, LIFECYCLE_RUNNING, LIFECYCLE_ASK_REBOOT},
    {LIFECYCLE_RUNNING, LIFECYCLE_RESET, LIFECYCLE_RUNNING, LIFECYCLE_DO_RESET},
    {LIFECYCLE_RUNNING, LIFECYCLE_GUEST_LEAVES, LIFECYCLE_LEAVING, 0},
    {LIFECYCLE_RUNNING, LIFECYCLE_FOUND_PAUSED, LIFECYCLE_RUNNING, LIFECYCLE_RUN},
    {LIFECYCLE_RUNNING, LIFECYCLE_FOUND_HALTED, LIFECYCLE_PAUSED, 0},
    {LIFECYCLE_RUNNING, LIFECYCLE_QEMU_EXITED, LIFECYCLE_ENDED, LIFECYCLE_FINISH},

    {LIFECYCLE_PAUSED, LIFECYCLE_HOOK_FAILED, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_PAUSED, LIFECYCLE_STOP, LIFECYCLE_STOPPING,
     LIFECYCLE_RUN | LIFECYCLE_ASK | LIFECYCLE_TIMEOUT},
    {LIFECYCLE_PAUSED, LIFECYCLE_FORCE, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_PAUSED, LIFECYCLE_RESUME, LIFECYCLE_RUNNING, LIFECYCLE_RUN},
    {LIFECYCLE_PAUSED, LIFECYCLE_RESET, LIFECYCLE_PAUSED, LIFECYCLE_DO_RESET},
    {LIFECYCLE_PAUSED, LIFECYCLE_GUEST_LEAVES, LIFECYCLE_LEAVING, 0},
    {LIFECYCLE_PAUSED, LIFECYCLE_FOUND_RUNNING, LIFECYCLE_PAUSED, LIFECYCLE_SUSPEND},
    {LIFECYCLE_PAUSED, LIFECYCLE_QEMU_EXITED, LIFECYCLE_ENDED, LIFECYCLE_FINISH},

    {LIFECYCLE_STOPPING, LIFECYCLE_STOP, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_STOPPING, LIFECYCLE_FORCE, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_STOPPING, LIFECYCLE_DEADLINE, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_STOPPING, LIFECYCLE_GUEST_LEAVES, LIFECYCLE_LEAVING, 0},
    {LIFECYCLE_STOPPING, LIFECYCLE_RESUME, LIFECYCLE_STOPPING, LIFECYCLE_RUN},
    {LIFECYCLE_STOPPING, LIFECYCLE_ENGINE_BACK, LIFECYCLE_STOPPING, LIFECYCLE_TIMEOUT},
    {LIFECYCLE_STOPPING, LIFECYCLE_FOUND_RUNNING, LIFECYCLE_STOPPING, LIFECYCLE_ASK},
    {LIFECYCLE_STOPPING, LIFECYCLE_FOUND_PAUSED, LIFECYCLE_STOPPING, LIFECYCLE_RUN | LIFECYCLE_ASK},
    {LIFECYCLE_STOPPING, LIFECYCLE_FOUND_HALTED, LIFECYCLE_STOPPING, LIFECYCLE_RUN | LIFECYCLE_ASK},
    {LIFECYCLE_STOPPING, LIFECYCLE_QEMU_EXITED, LIFECYCLE_ENDED, LIFECYCLE_FINISH},

    {LIFECYCLE_LEAVING, LIFECYCLE_STOP, LIFECYCLE_LEAVING, LIFECYCLE_TIMEOUT},
    {LIFECYCLE_LEAVING, LIFECYCLE_FORCE, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_LEAVING, LIFECYCLE_DEADLINE, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_LEAVING, LIFECYCLE_ENGINE_BACK, LIFECYCLE_LEAVING, LIFECYCLE_TIMEOUT},
    {LIFECYCLE_LEAVING, LIFECYCLE_QEMU_EXITED, LIFECYCLE_ENDED, LIFECYCLE_FINISH},

    {LIFECYCLE_TERMINATING, LIFECYCLE_DEADLINE, LIFECYCLE_KILLING, LIFECYCLE_KILL},
    {LIFECYCLE_TERMINATING, LIFECYCLE_ENGINE_BACK, LIFECYCLE_TERMINATING, LIFECYCLE_TERM},
    {LIFECYCLE_TERMINATING, LIFECYCLE_QEMU_EXITED, LIFECYCLE_ENDED, LIFECYCLE_FINISH},

    {LIFECYCLE_KILLING, LIFECYCLE_DEADLINE, LIFECYCLE_ENDED, LIFECYCLE_FINISH},
    {LIFECYCLE_KILLING, LIFECYCLE_ENGINE_BACK, LIFECYCLE_KILLING, LIFECYCLE_KILL},
    {LIFECYCLE_KILLING, LIFECYCLE_QEMU_EXITED, LIFECYCLE_ENDED, LIFECYCLE_FINISH},

    {LIFECYCLE_ENDED, LIFECYCLE_ENGINE_BACK, LIFECYCLE_ENDED, LIFECYCLE_FINISH},
};

static void test_every_cell(void)
{
    FOR_EACH_CELL(s, e)
    {
        struct cell cell = {s, e, s, 0};
        for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
            if ((int)expected[i].state == s && (int)expected[i].event == e) {
                cell = expected[i];
            }
        }
        struct lifecycle_step step = lifecycle_step(s, e);
        g_autofree char *name = cell_name(s, e);
        expect_str(name, lifecycle_state_name(step.next), lifecycle_state_name(cell.next));
        expect_uint(name, step.actions, cell.actions);
    }
}

static void test_names(void)
{
    for (int s = 0; s < LIFECYCLE_STATES; s++) {
        g_assert_nonnull(lifecycle_state_name(s));
        for (int other = 0; other < s; other++) {
            g_assert_cmpstr(lifecycle_state_name(s), !=, lifecycle_state_name(other));
        }
    }
    for (int e = 0; e < LIFECYCLE_EVENTS; e++) {
        g_assert_nonnull(lifecycle_event_name(e));
    }
}

/* docs/lifecycle.md: what stands above the table there is written by hand. */
static void test_documentation(void)
{
    g_autofree char *old = NULL, *table = lifecycle_describe();
    g_assert_true(g_file_get_contents("docs/lifecycle.md", &old, NULL, NULL));
    char *begin = strstr(old, "| in state |");
    g_assert_nonnull(begin);
    *begin = '\0';
    g_autofree char *text = g_strconcat(old, table, NULL);
    expectation_compare("docs/lifecycle.md", text);
}

/* What any table of this kind must hold to, whatever its cells say. */
static void test_shape(void)
{
    static const struct {
        unsigned action;
        enum lifecycle_state state; /* that it goes with */
    } entries[] = {
        {LIFECYCLE_FINISH, LIFECYCLE_ENDED},   {LIFECYCLE_TERM, LIFECYCLE_TERMINATING},
        {LIFECYCLE_KILL, LIFECYCLE_KILLING},   {LIFECYCLE_ASK, LIFECYCLE_STOPPING},
        {LIFECYCLE_SUSPEND, LIFECYCLE_PAUSED},
    };
    FOR_EACH_CELL(s, e)
    {
        struct lifecycle_step step = lifecycle_step(s, e);
        g_autofree char *name = cell_name(s, e);
        expect(name, (int)step.next >= 0 && step.next < LIFECYCLE_STATES);
        /* what another engine does again is what its state stands for */
        bool again = e >= LIFECYCLE_ENGINE_BACK && e <= LIFECYCLE_FOUND_HALTED;
        expect(name, s != LIFECYCLE_ENDED || step.next == LIFECYCLE_ENDED);
        expect(name, s != LIFECYCLE_ENDED || again || step.actions == 0);
        for (gsize i = 0; i < G_N_ELEMENTS(entries); i++) {
            /* what has halted by itself needs no halting */
            bool enters = step.next == entries[i].state && (int)step.next != s &&
                          !(entries[i].action == LIFECYCLE_SUSPEND && e == LIFECYCLE_HALTED);
            expect(name, again || enters == ((step.actions & entries[i].action) != 0));
        }
        /* TERM brings its own deadline, and from there on nobody asks any more */
        expect(name, !(step.actions & LIFECYCLE_TERM) || step.actions == LIFECYCLE_TERM);
        /* nothing climbs the way down up again */
        expect(name, s < LIFECYCLE_STOPPING || (int)step.next >= s);
    }
}

/*
 * A guest that hears nothing and a QEMU that SIGTERM does not end: what is left are the events that
 * come by themselves. Every state in which a life can be, with its clock running or not.
 */
struct life {
    enum lifecycle_state state;
    bool clock; /* a deadline is set */
};

static struct life live(struct life life, enum lifecycle_event event)
{
    struct lifecycle_step step = lifecycle_step(life.state, event);
    life.state = step.next;
    life.clock = event == LIFECYCLE_DEADLINE ? false : life.clock;
    life.clock |= (step.actions & (LIFECYCLE_TIMEOUT | LIFECYCLE_TERM | LIFECYCLE_KILL)) != 0;
    return life;
}

static bool ends_by_itself(struct life life)
{
    for (int i = 0; i < LIFECYCLE_STATES; i++) {
        if (life.state == LIFECYCLE_ENDED) {
            return true;
        }
        if (life.clock) {
            life = live(life, LIFECYCLE_DEADLINE);
        }
    }
    return false;
}

static void find_lives(struct life life, GArray *lives)
{
    for (guint i = 0; i < lives->len; i++) {
        struct life known = g_array_index(lives, struct life, i);
        if (known.state == life.state && known.clock == life.clock) {
            return;
        }
    }
    g_array_append_val(lives, life);
    for (int e = 0; e < LIFECYCLE_EVENTS; e++) {
        if (e != LIFECYCLE_DEADLINE || life.clock) {
            find_lives(live(life, e), lives);
        }
    }
}

static GArray *all_lives(void)
{
    GArray *lives = g_array_new(FALSE, FALSE, sizeof(struct life));
    find_lives((struct life){.state = LIFECYCLE_CREATING}, lives);
    return lives;
}

static void test_all_states_are_reached(void)
{
    g_autoptr(GArray) lives = all_lives();
    for (int s = 0; s < LIFECYCLE_STATES; s++) {
        bool reached = false;
        for (guint i = 0; i < lives->len; i++) {
            reached |= (int)g_array_index(lives, struct life, i).state == s;
        }
        expect(lifecycle_state_name(s), reached);
    }
}

/* Once somebody has asked for the end it comes, and nothing that happens then takes it back. */
static void test_stop_and_force_always_end(void)
{
    g_autoptr(GArray) lives = all_lives();
    for (guint i = 0; i < lives->len; i++) {
        struct life life = g_array_index(lives, struct life, i);
        for (int asked = LIFECYCLE_STOP; asked <= LIFECYCLE_FORCE; asked++) {
            struct life ending = live(life, asked);
            g_autofree char *name = cell_name(life.state, asked);
            expect(name, ends_by_itself(ending));
            for (int e = 0; e < LIFECYCLE_EVENTS; e++) {
                g_autofree char *then =
                    g_strdup_printf("%s, then %s", name, lifecycle_event_name(e));
                if (e != LIFECYCLE_DEADLINE || ending.clock) {
                    expect(then, ends_by_itself(live(ending, e)));
                }
            }
        }
    }
    G_STATIC_ASSERT(LIFECYCLE_FORCE == LIFECYCLE_STOP + 1);
}

/* A hook that fails ends the VM as soon as it can be ended, and never one that ends already. */
static void test_failing_hook(void)
{
    for (int s = 0; s < LIFECYCLE_STATES; s++) {
        struct lifecycle_step step = lifecycle_step(s, LIFECYCLE_HOOK_FAILED);
        bool alive = s == LIFECYCLE_PREPARING || s == LIFECYCLE_RUNNING || s == LIFECYCLE_PAUSED;
        expect(lifecycle_state_name(s), alive == (step.actions == LIFECYCLE_TERM));
        expect(lifecycle_state_name(s), alive || ((int)step.next == s && step.actions == 0));
    }
}

/* A deadline that fires late, when its state has passed, does no harm. */
static void test_late_deadline(void)
{
    static const enum lifecycle_state without[] = {LIFECYCLE_CREATING, LIFECYCLE_PREPARING,
                                                   LIFECYCLE_RUNNING, LIFECYCLE_PAUSED,
                                                   LIFECYCLE_ENDED};
    for (gsize i = 0; i < G_N_ELEMENTS(without); i++) {
        struct lifecycle_step step = lifecycle_step(without[i], LIFECYCLE_DEADLINE);
        expect_uint(lifecycle_state_name(without[i]), step.next, without[i]);
        expect_uint(lifecycle_state_name(without[i]), step.actions, 0);
    }
}

static void test_ladder(void)
{
    struct life life = {.state = LIFECYCLE_CREATING};
    static const struct {
        enum lifecycle_event event;
        enum lifecycle_state state;
        bool clock;
    } rungs[] = {
        {LIFECYCLE_MADE, LIFECYCLE_PREPARING, false},
        {LIFECYCLE_CREATED, LIFECYCLE_RUNNING, false},
        {LIFECYCLE_STOP, LIFECYCLE_STOPPING, true},
        {LIFECYCLE_DEADLINE, LIFECYCLE_TERMINATING, true},
        {LIFECYCLE_DEADLINE, LIFECYCLE_KILLING, true},
        {LIFECYCLE_DEADLINE, LIFECYCLE_ENDED, false}, /* the kernel does not let go of QEMU */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rungs); i++) {
        life = live(life, rungs[i].event);
        g_assert_cmpint(life.state, ==, rungs[i].state);
        g_assert_cmpint(life.clock, ==, rungs[i].clock);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/lifecycle/every-cell", test_every_cell);
    g_test_add_func("/lifecycle/failing-hook", test_failing_hook);
    g_test_add_func("/lifecycle/names", test_names);
    g_test_add_func("/lifecycle/documentation", test_documentation);
    g_test_add_func("/lifecycle/shape", test_shape);
    g_test_add_func("/lifecycle/all-states-are-reached", test_all_states_are_reached);
    g_test_add_func("/lifecycle/stop-and-force-always-end", test_stop_and_force_always_end);
    g_test_add_func("/lifecycle/late-deadline", test_late_deadline);
    g_test_add_func("/lifecycle/ladder", test_ladder);
    return g_test_run();
}
