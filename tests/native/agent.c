// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * usage: agent ROOT KERNEL INITRD DISK
 *
 * The guest agent as the engine asks it: through libvirt's embedded driver, in a guest with
 * Debian's qemu-ga. DISK has a file system for it to freeze. Prints TAP; agent.bats runs it.
 *
 * The guest is booted once, by the first test; the others go on from there, in order.
 */

#include "src/engine/agent.h"
#include "src/engine/calls.h"
#include "src/engine/root.h"
#include "src/host/exit_port.h"
#include "src/init/supervisor.h"
#include "src/util/error.h"
#include "src/vm/domain_xml.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* For all of it. */
#define PATIENCE_S 1500

static char **arguments;
static struct root root;
static vm_spec *spec;
static struct hypervisor *hypervisor;
static struct agent *agent;
static bool made, agent_up, agent_came; /* the last: since somebody said that it has not */

static void on_event(enum hypervisor_event event, void *data)
{
    (void)data;
    if (event == HYPERVISOR_AGENT_UP || event == HYPERVISOR_AGENT_DOWN) {
        agent_up = event == HYPERVISOR_AGENT_UP;
        agent_came |= agent_up;
    }
}

static void run_until(const bool *flag)
{
    while (!*flag) {
        g_main_context_iteration(NULL, TRUE);
    }
}

/* --- the guest --- */

static void describe_vm(void)
{
    spec = vm_spec_new();
    spec->name = g_strdup("agent");
    spec->uuid = g_strdup("1d267732-2a1c-5fa2-89f6-949b78c515f6");
    spec->arch = vm_arch_native();
    g_autofree char *emulator = g_strconcat("qemu-system-", vm_arch_name(spec->arch), NULL);
    spec->emulator = g_find_program_in_path(emulator);
    spec->vcpus = 1;
    spec->memory_kib = 192 << 10;
    spec->kernel = g_strdup(arguments[2]);
    spec->initrd = g_strdup(arguments[3]);
    spec->cmdline = g_strdup_printf("console=%s guest.order=wait", vm_arch_console(spec->arch));
    spec->console_socket = root_file(&root, "run/console.sock");
    spec->agent_socket = root_file(&root, "run/agent.sock");
    spec->exit_pipe = root_file(&root, "exit");
    vm_spec_add_disk(spec, arguments[4], "raw");
}

static bool make_vm(void *data, GError **error)
{
    (void)data;
    pid_t qemu;
    g_autofree char *xml = domain_xml(spec);
    hypervisor = hypervisor_open(root.path, on_event, NULL, error);
    return hypervisor != NULL && hypervisor_create(hypervisor, spec, xml, &qemu, error) &&
           hypervisor_resume(hypervisor, error);
}

static void on_made(void *data, GError *error)
{
    (void)data;
    g_assert_no_error(error);
    made = true;
}

static void test_boot(void)
{
    GError *error = NULL;
    g_assert_true(root_choose(&root, arguments[1], &error) && root_open(&root, NULL, &error) &&
                  root_write_qemu_conf(&root, NULL, &error));
    root_export_environment(&root);
    describe_vm();
    g_assert_cmpint(exit_port_open(spec->exit_pipe, &error), >=, 0);
    hypervisor_prepare();
    calls_push(calls_create(1), make_vm, on_made, NULL);
    run_until(&made);
    agent = agent_create(hypervisor);
}

/* --- calls, and what comes back --- */

struct answer {
    bool there;
    GError *error;
    guint count;
    struct agent_exec_result result;
    char *output, *errors; /* with a NUL behind them */
    GPtrArray *interfaces;
};

static char *as_text(GBytes *bytes)
{
    gsize size = 0;
    gconstpointer data = bytes != NULL ? g_bytes_get_data(bytes, &size) : "";
    return g_strndup(data, size);
}

static void on_done(guint count, const GError *error, void *data)
{
    struct answer *answer = data;
    g_assert_false(answer->there);
    *answer = (struct answer){.there = true, .count = count};
    answer->error = error != NULL ? g_error_copy(error) : NULL;
}

static void on_exec_done(const struct agent_exec_result *result, const GError *error, void *data)
{
    struct answer *answer = data;
    g_assert_true((result == NULL) == (error != NULL));
    on_done(0, error, data);
    if (result != NULL) {
        answer->result = *result;
        answer->output = as_text(result->output);
        answer->errors = as_text(result->errors);
        if (result->output != NULL) {
            g_bytes_ref(result->output);
        }
        answer->result.errors = NULL;
    }
}

static void on_addresses_done(const GPtrArray *interfaces, const GError *error, void *data)
{
    struct answer *answer = data;
    on_done(0, error, data);
    if (interfaces != NULL) {
        answer->interfaces = g_ptr_array_ref((GPtrArray *)interfaces);
    }
}

static void answer_clear(struct answer *answer)
{
    g_clear_error(&answer->error);
    agent_exec_result_clear(&answer->result);
    g_free(answer->output);
    g_free(answer->errors);
    g_clear_pointer(&answer->interfaces, g_ptr_array_unref);
    *answer = (struct answer){0};
}

typedef struct agent_call *simple_call(struct agent *agent, agent_done *done, void *data,
                                       GError **error);

static void ask(struct answer *answer, simple_call *call)
{
    GError *error = NULL;
    *answer = (struct answer){0};
    call(agent, on_done, answer, &error);
    g_assert_no_error(error);
    run_until(&answer->there);
}

/* Starts a shell with @script. */
static struct agent_call *start_shell(struct answer *answer, const char *script, guint64 timeout_ms)
{
    GError *error = NULL;
    *answer = (struct answer){0};
    const char *command[] = {"/bin/sh", "-c", script, NULL};
    const struct agent_exec_request request = {.command = (char **)command,
                                               .timeout_ms = timeout_ms};
    struct agent_call *call = agent_exec(agent, &request, on_exec_done, answer, &error);
    g_assert_no_error(error);
    return call;
}

static void run_shell(struct answer *answer, const char *script, guint64 timeout_ms)
{
    start_shell(answer, script, timeout_ms);
    run_until(&answer->there);
}

/* --- tests --- */

static void test_no_agent_yet(void)
{
    struct answer answer;
    ask(&answer, agent_ping);
    g_assert_error(answer.error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_test_message("%s", answer.error->message);
    answer_clear(&answer);
}

static void test_ping(void)
{
    struct answer answer;
    run_until(&agent_up);
    ask(&answer, agent_ping);
    g_assert_no_error(answer.error);
}

static void test_exec(void)
{
    struct answer answer = {0};
    GError *error = NULL;
    const char *command[] = {"/bin/sh", "-c", "cat; echo \"$WORD $#\" >&2; exit 7", "sh", "a b",
                             "",        NULL};
    const char *env[] = {"WORD=it's", NULL};
    struct agent_exec_request request = {.command = (char **)command,
                                         .env = (char **)env,
                                         .input = g_bytes_new_static("in\0put\xff", 7)};
    agent_exec(agent, &request, on_exec_done, &answer, &error);
    g_assert_no_error(error);
    run_until(&answer.there);
    g_assert_no_error(answer.error);
    g_assert_cmpint(answer.result.end, ==, AGENT_EXEC_EXITED);
    g_assert_cmpint(answer.result.status, ==, 7);
    g_assert_cmpint(answer.result.pid, >, 0);
    g_assert_true(g_bytes_equal(answer.result.output, request.input));
    g_assert_cmpstr(answer.errors, ==, "it's 2\n");
    g_assert_false(answer.result.output_truncated || answer.result.errors_truncated);
    g_bytes_unref(request.input);
    answer_clear(&answer);
}

static void test_no_such_command(void)
{
    struct answer answer = {0};
    GError *error = NULL;
    const char *command[] = {"/no/such/command", NULL};
    const struct agent_exec_request request = {.command = (char **)command};
    agent_exec(agent, &request, on_exec_done, &answer, &error);
    g_assert_no_error(error);
    run_until(&answer.there);
    g_assert_error(answer.error, ERROR_DOMAIN, ERROR_USAGE);
    g_test_message("%s", answer.error->message);
    g_assert_nonnull(strstr(answer.error->message, "/no/such/command"));
    answer_clear(&answer);
}

static void test_killed(void)
{
    struct answer answer;
    run_shell(&answer, "echo out; kill -KILL $$", 0);
    g_assert_no_error(answer.error);
    g_assert_cmpint(answer.result.end, ==, AGENT_EXEC_KILLED);
    g_assert_cmpint(answer.result.signal, ==, 9);
    g_assert_cmpstr(answer.output, ==, "out\n");
    answer_clear(&answer);
}

static void test_timeout(void)
{
    struct answer answer;
    gint64 before = g_get_monotonic_time();
    run_shell(&answer, "sleep 100", 5000);
    gint64 passed_ms = (g_get_monotonic_time() - before) / 1000;
    g_assert_no_error(answer.error);
    g_assert_cmpint(answer.result.end, ==, AGENT_EXEC_TIMED_OUT);
    g_assert_cmpint(answer.result.pid, >, 0);
    g_assert_cmpint(passed_ms, >=, 5000);
    g_assert_cmpint(passed_ms, <, 60000);
    answer_clear(&answer);
}

/* An agent that hangs is not waited for longer than its command would be. */
static void test_hang(void)
{
    struct answer answer;
    run_shell(&answer,
              "pid=$(pidof qemu-ga);"
              "(sleep 1; kill -STOP $pid; sleep 12; kill -CONT $pid) >/dev/null 2>&1 &",
              0);
    g_assert_no_error(answer.error);
    answer_clear(&answer);
    run_shell(&answer, "sleep 100", 3000);
    g_assert_no_error(answer.error);
    g_assert_cmpint(answer.result.end, ==, AGENT_EXEC_TIMED_OUT);
    answer_clear(&answer);
    do {
        answer_clear(&answer);
        ask(&answer, agent_ping);
    } while (answer.error != NULL);
}

static void test_output(void)
{
    struct answer answer;
    run_shell(&answer, "head -c 1000000 /dev/zero; echo fine >&2", 0);
    g_assert_no_error(answer.error);
    g_assert_cmpuint(g_bytes_get_size(answer.result.output), ==, 1000000);
    g_assert_cmpstr(answer.errors, ==, "fine\n");
    g_assert_false(answer.result.output_truncated || answer.result.errors_truncated);
    answer_clear(&answer);
}

static void test_many(void)
{
    struct answer answers[8];
    for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
        g_autofree char *script = g_strdup_printf("sleep 0.%u; echo %u; exit %u", i % 3, i, i);
        start_shell(&answers[i], script, 0);
    }
    for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
        run_until(&answers[i].there);
        g_autofree char *expected = g_strdup_printf("%u\n", i);
        g_assert_no_error(answers[i].error);
        g_assert_cmpint(answers[i].result.status, ==, i);
        g_assert_cmpstr(answers[i].output, ==, expected);
        answer_clear(&answers[i]);
    }
}

static void test_too_many(void)
{
    GError *error = NULL;
    struct answer answers[AGENT_CALLS_MAX] = {0};
    for (guint i = 0; i < AGENT_CALLS_MAX; i++) {
        agent_ping(agent, on_done, &answers[i], &error);
        g_assert_no_error(error);
    }
    g_assert_null(agent_ping(agent, on_done, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_BUSY);
    g_clear_error(&error);
    for (guint i = 0; i < AGENT_CALLS_MAX; i++) {
        run_until(&answers[i].there);
        g_assert_no_error(answers[i].error);
    }
}

static void test_forgotten(void)
{
    struct answer forgotten, waiting, answer;
    /* one that is the thread's, and one that waits to ask again */
    struct agent_call *second = start_shell(&waiting, "sleep 1", 0);
    ask(&answer, agent_ping);
    struct agent_call *first = start_shell(&forgotten, "sleep 1", 0);
    agent_forget(first);
    agent_forget(second);
    run_shell(&answer, "sleep 2", 0);
    g_assert_no_error(answer.error);
    g_assert_false(forgotten.there || waiting.there);
    answer_clear(&answer);
}

static void test_refused(void)
{
    GError *error = NULL;
    const char *command[] = {"", NULL};
    const struct agent_exec_request request = {.command = (char **)command};
    g_assert_null(agent_exec(agent, &request, on_exec_done, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_USAGE);
    g_clear_error(&error);
}

static void test_addresses(void)
{
    struct answer answer = {0};
    GError *error = NULL;
    agent_addresses(agent, on_addresses_done, &answer, &error);
    g_assert_no_error(error);
    run_until(&answer.there);
    g_assert_no_error(answer.error);
    g_assert_nonnull(answer.interfaces);
    g_assert_cmpuint(answer.interfaces->len, ==, 1);
    const struct agent_interface *lo = g_ptr_array_index(answer.interfaces, 0);
    g_assert_cmpstr(lo->name, ==, "lo");
    g_assert_cmpuint(lo->addresses->len, >=, 1);
    const struct agent_address *address = g_ptr_array_index(lo->addresses, 0);
    g_assert_cmpstr(address->address, ==, "127.0.0.1");
    g_assert_cmpuint(address->prefix, ==, 8);
    answer_clear(&answer);
}

static void test_freeze(void)
{
    struct answer answer;
    run_shell(&answer, "mkdir /mnt && mount -t ext4 /dev/vda /mnt", 0);
    g_assert_cmpstr(answer.errors, ==, "");
    answer_clear(&answer);
    ask(&answer, agent_freeze);
    g_assert_no_error(answer.error);
    g_assert_cmpuint(answer.count, ==, 1);
    /* until they are thawed it does nothing else */
    ask(&answer, agent_freeze);
    g_assert_error(answer.error, ERROR_DOMAIN, ERROR_USAGE);
    g_test_message("%s", answer.error->message);
    answer_clear(&answer);
    run_shell(&answer, ": >/mnt/file", 0);
    g_assert_error(answer.error, ERROR_DOMAIN, ERROR_USAGE);
    g_test_message("%s", answer.error->message);
    answer_clear(&answer);
    ask(&answer, agent_thaw);
    g_assert_no_error(answer.error);
    g_assert_cmpuint(answer.count, ==, 1);
    run_shell(&answer, ": >/mnt/file; umount /mnt", 0);
    g_assert_cmpstr(answer.errors, ==, "");
    answer_clear(&answer);
}

/* The agent goes while somebody waits, and comes again. */
static void test_agent_ends(void)
{
    struct answer answer, waiting;
    agent_came = false;
    start_shell(&waiting, "sleep 100", 0);
    run_shell(&answer,
              "pid=$(pidof qemu-ga); line=$(tr '\\0' ' ' </proc/$pid/cmdline);"
              "kill -KILL $pid; sleep 2; exec $line",
              0);
    g_assert_error(answer.error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_test_message("%s", answer.error->message);
    run_until(&waiting.there);
    g_assert_error(waiting.error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_test_message("%s", waiting.error->message);
    answer_clear(&answer);
    answer_clear(&waiting);
    run_until(&agent_came);
    ask(&answer, agent_ping);
    g_assert_no_error(answer.error);
}

/* More than libvirt takes, or can take in time. */
static void test_too_much_output(void)
{
    struct answer answer;
    run_shell(&answer, "head -c 9000000 /dev/zero", 0);
    g_assert_error(answer.error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_test_message("%s", answer.error->message);
    g_assert_nonnull(strstr(answer.error->message, "7 MiB of output"));
    answer_clear(&answer);
}

static void test_destroy(void)
{
    struct answer answers[3] = {0};
    GError *error = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
        agent_ping(agent, on_done, &answers[i], &error);
        g_assert_no_error(error);
    }
    agent_destroy(agent);
    for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
        g_assert_true(answers[i].there);
        g_assert_error(answers[i].error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
        answer_clear(&answers[i]);
    }
    agent_destroy(NULL);
}

static gpointer answer_pings(gpointer link)
{
    struct link_message message;
    while (recv(GPOINTER_TO_INT(link), &message, sizeof(message), 0) > 0) {
        link_answer(GPOINTER_TO_INT(link));
    }
    return NULL;
}

/* Whatever is left is the supervisor's to end. */
static int run_tests(const struct supervisor_start *start, void *data)
{
    (void)data;
    alarm(PATIENCE_S);
    g_thread_unref(g_thread_new("pings", answer_pings, GINT_TO_POINTER(start->link)));
    return g_test_run();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (argc != 5) {
        g_printerr("usage: agent ROOT KERNEL INITRD DISK\n");
        return ERROR_USAGE;
    }
    arguments = argv;
    g_test_add_func("/agent/boot", test_boot);
    g_test_add_func("/agent/no-agent-yet", test_no_agent_yet);
    g_test_add_func("/agent/ping", test_ping);
    g_test_add_func("/agent/exec", test_exec);
    g_test_add_func("/agent/no-such-command", test_no_such_command);
    g_test_add_func("/agent/killed", test_killed);
    g_test_add_func("/agent/timeout", test_timeout);
    g_test_add_func("/agent/hang", test_hang);
    g_test_add_func("/agent/output", test_output);
    g_test_add_func("/agent/many", test_many);
    g_test_add_func("/agent/too-many", test_too_many);
    g_test_add_func("/agent/forgotten", test_forgotten);
    g_test_add_func("/agent/refused", test_refused);
    g_test_add_func("/agent/addresses", test_addresses);
    g_test_add_func("/agent/freeze", test_freeze);
    g_test_add_func("/agent/ends", test_agent_ends);
    g_test_add_func("/agent/too-much-output", test_too_much_output);
    g_test_add_func("/agent/destroy", test_destroy);
    const struct supervisor_config config = {.run = run_tests};
    struct supervisor_report report;
    supervisor_block_signals();
    int status = supervisor_run(&config, &report);
    return status >= 0 ? status : 128 + report.engine_signal;
}
