// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/hypervisor.h"
#include "src/host/capability.h"
#include "src/host/process.h"
#include "src/host/qmp.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

struct hypervisor {
    char *root;
    virConnectPtr connection;
    virDomainPtr domain;
    hypervisor_handler *handler;
    void *data;
};

/* libvirt's last error on this thread as ours. */
static bool fail(GError **error, const char *doing)
{
    const virError *last = virGetLastError();
    enum error_code code = ERROR_INTERNAL;
    switch (last != NULL ? last->code : VIR_ERR_OK) {
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL:
    case VIR_ERR_INVALID_ARG:
        code = ERROR_CONFIG;
        break;
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_SYSTEM_ERROR:
    case VIR_ERR_NO_SUPPORT:
        code = ERROR_UNAVAILABLE;
        break;
    default:
        break;
    }
    g_set_error(error, ERROR_DOMAIN, code, "%s: %s", doing,
                last != NULL && last->message != NULL ? last->message : "libvirt gives no reason");
    return false;
}

static bool last_error_is(int one, int other)
{
    const virError *last = virGetLastError();
    return last != NULL && (last->code == one || last->code == other);
}

static void ignore_error(void *data, virErrorPtr error)
{
    /* They all come back as return values; libvirt would print them as well. */
    (void)data;
    (void)error;
}

void hypervisor_prepare(void)
{
    virSetErrorFunc(NULL, ignore_error);
    virInitialize();
    virEventRegisterDefaultImpl();
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail,
                        void *data)
{
    (void)connection;
    (void)domain;
    struct hypervisor *h = data;
    log_debug("libvirt: lifecycle event %d, detail %d", event, detail);
    switch (event) {
    case VIR_DOMAIN_EVENT_SHUTDOWN:
        h->handler(detail == VIR_DOMAIN_EVENT_SHUTDOWN_HOST ? HYPERVISOR_HOST_SHUTDOWN
                                                            : HYPERVISOR_POWERED_OFF,
                   h->data);
        break;
    case VIR_DOMAIN_EVENT_CRASHED:
        if (detail != VIR_DOMAIN_EVENT_CRASHED_CRASHLOADED) { /* a kernel for that goes on */
            h->handler(HYPERVISOR_CRASHED, h->data);
        }
        break;
    case VIR_DOMAIN_EVENT_SUSPENDED:
        h->handler(detail == VIR_DOMAIN_EVENT_SUSPENDED_IOERROR ? HYPERVISOR_IO_ERROR
                                                                : HYPERVISOR_PAUSED,
                   h->data);
        break;
    case VIR_DOMAIN_EVENT_STOPPED:
        if (detail == VIR_DOMAIN_EVENT_STOPPED_CRASHED) {
            h->handler(HYPERVISOR_CRASHED, h->data);
        }
        h->handler(HYPERVISOR_STOPPED, h->data);
        break;
    default:
        break;
    }
    return 0;
}

static void on_reboot(virConnectPtr connection, virDomainPtr domain, void *data)
{
    (void)connection;
    (void)domain;
    struct hypervisor *h = data;
    h->handler(HYPERVISOR_REBOOTED, h->data);
}

static void on_agent(virConnectPtr connection, virDomainPtr domain, int state, int reason,
                     void *data)
{
    (void)connection;
    (void)domain;
    (void)reason;
    struct hypervisor *h = data;
    h->handler(state == VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED
                   ? HYPERVISOR_AGENT_UP
                   : HYPERVISOR_AGENT_DOWN,
               h->data);
}

static bool watch(struct hypervisor *h, int id, virConnectDomainEventGenericCallback callback)
{
    return virConnectDomainEventRegisterAny(h->connection, NULL, id, callback, h, NULL) >= 0;
}

/*
 * While it opens, the driver reads this CPU's CPUID, and compares it with the one of the cached
 * capabilities. On processors with leaf 0x1F the result has the number of the CPU in it, which
 * libvirt does not mask (9.0 and 11.3): a start on another CPU than the last one's would probe QEMU
 * anew, 0.5 s. So the reading is always done on the first CPU that we may use.
 */
static virConnectPtr open_on_first_cpu(const char *uri)
{
    cpu_set_t allowed, first;
    bool pinned = false;
    CPU_ZERO(&first);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
        for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&first) == 0; cpu++) {
            if (CPU_ISSET(cpu, &allowed)) {
                CPU_SET(cpu, &first);
            }
        }
        pinned = sched_setaffinity(0, sizeof(first), &first) == 0;
    }
    virConnectPtr connection = virConnectOpen(uri);
    if (pinned) {
        sched_setaffinity(0, sizeof(allowed), &allowed);
    }
    return connection;
}

struct hypervisor *hypervisor_open(const char *root, hypervisor_handler *handler, void *data,
                                   GError **error)
{
    if (!capability_check(error)) {
        return NULL;
    }
    g_autofree char *escaped = g_uri_escape_string(root, "/", FALSE);
    g_autofree char *uri = g_strconcat("qemu:///embed?root=", escaped, NULL);
    struct hypervisor *h = g_new0(struct hypervisor, 1);
    h->root = g_strdup(root);
    h->handler = handler;
    h->data = data;
    h->connection = open_on_first_cpu(uri);
    if (h->connection == NULL ||
        !watch(h, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)) ||
        !watch(h, VIR_DOMAIN_EVENT_ID_REBOOT, VIR_DOMAIN_EVENT_CALLBACK(on_reboot)) ||
        !watch(h, VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_agent))) {
        fail(error, last_error_is(VIR_ERR_NO_SUPPORT, VIR_ERR_NO_CONNECT)
                        ? "cannot open libvirt's embedded QEMU driver (Debian: "
                          "libvirt-daemon-driver-qemu)"
                        : "cannot open libvirt's embedded QEMU driver");
        hypervisor_close(h);
        return NULL;
    }
    return h;
}

void hypervisor_close(struct hypervisor *h)
{
    if (h == NULL) {
        return;
    }
    g_clear_pointer(&h->domain, virDomainFree);
    g_clear_pointer(&h->connection, virConnectClose);
    g_free(h->root);
    g_free(h);
}

bool hypervisor_probe(struct hypervisor *h, const struct vm_spec *spec, GError **error)
{
    const char *machine = spec->machine != NULL ? spec->machine : vm_arch_machine(spec->arch);
    const char *emulator = spec->launcher != NULL ? spec->launcher : spec->emulator;
    char *capabilities = virConnectGetDomainCapabilities(
        h->connection, emulator, vm_arch_name(spec->arch), machine, NULL, 0);
    if (capabilities == NULL) {
        return fail(error, "cannot probe QEMU");
    }
    free(capabilities);
    return true;
}

/* libvirt tells QEMU's pid nowhere but in the file that it keeps for itself. */
static bool read_pid(struct hypervisor *h, pid_t *pid, GError **error)
{
    g_autofree char *path =
        g_strdup_printf("%s/run/qemu/%s.pid", h->root, virDomainGetName(h->domain));
    g_autofree char *text = NULL;
    guint64 number;
    if (!g_file_get_contents(path, &text, NULL, NULL) ||
        !g_ascii_string_to_unsigned(g_strstrip(text), 10, 1, G_MAXINT32, &number, NULL)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_INTERNAL, "cannot read QEMU's pid from %s", path);
        return false;
    }
    *pid = number;
    return true;
}

/*
 * With a machine type or an emulator that is not what it should be, libvirt fails late and with
 * unrelated words ("No PCI buses available"). Asked for its capabilities it says what is wrong.
 */
static bool fail_to_create(struct hypervisor *h, const struct vm_spec *spec, GError **error)
{
    g_autoptr(GError) late = NULL;
    fail(&late, "cannot start the VM");
    if (hypervisor_probe(h, spec, error)) {
        g_propagate_error(error, g_steal_pointer(&late));
    }
    return false;
}

bool hypervisor_create(struct hypervisor *h, const struct vm_spec *spec, const char *xml,
                       pid_t *qemu, GError **error)
{
    h->domain = virDomainCreateXML(h->connection, xml, VIR_DOMAIN_START_PAUSED);
    if (h->domain == NULL) {
        return fail_to_create(h, spec, error);
    }
    return read_pid(h, qemu, error);
}

/* RunState of QEMU's QMP, as its monitor's answer has it. */
static const struct {
    const char *word;
    enum hypervisor_found found;
} run_states[] = {
    {"running", HYPERVISOR_FOUND_RUNNING},        {"io-error", HYPERVISOR_FOUND_HALTED},
    {"shutdown", HYPERVISOR_FOUND_OFF},           {"guest-panicked", HYPERVISOR_FOUND_CRASHED},
    {"internal-error", HYPERVISOR_FOUND_CRASHED},
};

static enum hypervisor_found found_in(const char *reply)
{
    g_autofree char *state = qmp_run_state(reply, strlen(reply));
    for (gsize i = 0; i < G_N_ELEMENTS(run_states); i++) {
        if (g_strcmp0(state, run_states[i].word) == 0) {
            return run_states[i].found;
        }
    }
    return HYPERVISOR_FOUND_PAUSED;
}

/* A QEMU that hangs keeps libvirt, which is still to take the VM over, longer than it lets us
 * wait: half a minute. */
static bool is_to_be_asked_again(struct hypervisor *h)
{
    const virError *last = virGetLastError();
    return last != NULL && last->code == VIR_ERR_OPERATION_TIMEOUT &&
           virDomainIsActive(h->domain) == 1;
}

/* libvirt's own word is as old as its last event: QEMU is asked, which also waits until libvirt has
 * taken the VM over. */
static enum hypervisor_found ask_qemu(struct hypervisor *h)
{
    char *reply = NULL;
    while (virDomainQemuMonitorCommand(h->domain, "{\"execute\":\"query-status\"}", &reply, 0) <
           0) {
        if (!is_to_be_asked_again(h)) {
            return HYPERVISOR_FOUND_NONE;
        }
    }
    enum hypervisor_found found = found_in(reply);
    free(reply);
    return found;
}

enum hypervisor_found hypervisor_find(struct hypervisor *h, const char *name)
{
    h->domain = virDomainLookupByName(h->connection, name);
    return h->domain != NULL ? ask_qemu(h) : HYPERVISOR_FOUND_NONE;
}

static bool is_running(struct hypervisor *h)
{
    int state;
    return virDomainGetState(h->domain, &state, NULL, 0) == 0 && state == VIR_DOMAIN_RUNNING;
}

bool hypervisor_resume(struct hypervisor *h, GError **error)
{
    g_autoptr(GError) local = NULL;
    if (virDomainResume(h->domain) == 0) {
        return true;
    }
    bool invalid = last_error_is(VIR_ERR_OPERATION_INVALID, VIR_ERR_OPERATION_INVALID);
    fail(&local, "cannot resume the VM");
    if (invalid && is_running(h)) { /* that it runs is an error to libvirt */
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

bool hypervisor_suspend(struct hypervisor *h, GError **error)
{
    return virDomainSuspend(h->domain) == 0 || fail(error, "cannot pause the VM");
}

bool hypervisor_press_power_button(struct hypervisor *h, GError **error)
{
    return virDomainShutdownFlags(h->domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) == 0 ||
           fail(error, "cannot press the power button");
}

bool hypervisor_ask_agent_to_power_off(struct hypervisor *h, GError **error)
{
    return virDomainShutdownFlags(h->domain, VIR_DOMAIN_SHUTDOWN_GUEST_AGENT) == 0 ||
           fail(error, "cannot ask the guest agent to power off");
}

/* --- the guest agent --- */

/* "… unable to execute QEMU agent command 'guest-exec': REASON": the agent's own words; NULL: none.
 * By its text, for libvirt has got a code of its own for that after 9.0. */
static const char *refusal(const virError *error)
{
    static const char before[] = "agent command '";
    const char *words = error != NULL && error->code != VIR_ERR_AGENT_UNRESPONSIVE
                            ? strstr(error->message, before)
                            : NULL;
    words = words != NULL ? strstr(words + strlen(before), "': ") : NULL;
    return words != NULL ? words + strlen("': ") : NULL;
}

/* Of a timeout libvirt had no other code up to 11.1 than of a connection that is gone, and still
 * has none where it was not the command that was waited for: the text tells these apart. */
static bool connection_is_gone(const virError *error)
{
    return strstr(error->message, "guest agent is not connected") != NULL ||
           strstr(error->message, "not available due to an error") != NULL;
}

/* While file systems are frozen the agent does little else than thaw them. Of the words with which
 * it refuses the rest only these are the same in all its versions. */
static bool is_disabled(const virError *error)
{
    return refusal(error) != NULL && strstr(refusal(error), "has been disabled") != NULL;
}

static enum hypervisor_later when_to_ask_again(const virError *error)
{
    switch (error != NULL ? error->code : VIR_ERR_OK) {
    case VIR_ERR_OPERATION_INVALID: /* the VM is halted */
        return HYPERVISOR_LATER;
    case VIR_ERR_OPERATION_TIMEOUT: /* libvirt asks the agent for something else */
#if LIBVIR_CHECK_VERSION(11, 2, 0)
    case VIR_ERR_AGENT_COMMAND_TIMEOUT:
#endif
        return HYPERVISOR_PERHAPS;
    case VIR_ERR_AGENT_UNRESPONSIVE:
        return connection_is_gone(error) ? HYPERVISOR_NEVER : HYPERVISOR_PERHAPS;
    default:
        return is_disabled(error) ? HYPERVISOR_LATER : HYPERVISOR_NEVER;
    }
}

static bool fail_agent(GError **error, const char *doing)
{
    const virError *last = virGetLastError();
    if (refusal(last) != NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_USAGE, "%s: it says: %s", doing, refusal(last));
        return false;
    }
    if (last != NULL && last->code == VIR_ERR_AGENT_UNRESPONSIVE) {
        g_set_error(
            error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
            "%s: %s; install qemu-guest-agent in the guest and start it, or, if it runs, start it "
            "anew",
            doing, last->message);
        return false;
    }
    g_autoptr(GError) local = NULL;
    fail(&local, doing);
    local->code = ERROR_UNAVAILABLE;
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

char *hypervisor_ask_agent(struct hypervisor *h, const char *command, int seconds,
                           enum hypervisor_later *later, GError **error)
{
    char *reply = virDomainQemuAgentCommand(h->domain, command, seconds, 0);
    if (reply == NULL) {
        *later = when_to_ask_again(virGetLastError());
        fail_agent(error, "cannot ask the guest agent");
    }
    return reply; /* libvirt's allocator is GLib's, and both are malloc's */
}

/* Without it libvirt waits for an answer for ever. */
static bool set_patience(struct hypervisor *h, int seconds)
{
    return virDomainAgentSetResponseTimeout(h->domain, seconds, 0) == 0;
}

bool hypervisor_freeze(struct hypervisor *h, int seconds, guint *count, GError **error)
{
    int frozen = set_patience(h, seconds) ? virDomainFSFreeze(h->domain, NULL, 0, 0) : -1;
    if (frozen < 0) {
        return fail_agent(error, "cannot have the guest agent freeze file systems");
    }
    *count = frozen;
    return true;
}

bool hypervisor_thaw(struct hypervisor *h, int seconds, guint *count, GError **error)
{
    int thawed = set_patience(h, seconds) ? virDomainFSThaw(h->domain, NULL, 0, 0) : -1;
    if (thawed < 0) {
        return fail_agent(error, "cannot have the guest agent thaw file systems");
    }
    *count = thawed;
    return true;
}

static struct agent_interface *copy_interface(const virDomainInterface *from)
{
    struct agent_interface *copy = agent_interface_new(from->name, from->hwaddr);
    for (unsigned i = 0; i < from->naddrs; i++) {
        agent_interface_add_address(copy, from->addrs[i].addr, from->addrs[i].prefix);
    }
    return copy;
}

GPtrArray *hypervisor_interfaces(struct hypervisor *h, int seconds, GError **error)
{
    virDomainInterfacePtr *list = NULL;
    int count = set_patience(h, seconds)
                    ? virDomainInterfaceAddresses(h->domain, &list,
                                                  VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, 0)
                    : -1;
    if (count < 0) {
        fail_agent(error, "cannot ask the guest agent for addresses");
        return NULL;
    }
    GPtrArray *interfaces = g_ptr_array_new_with_free_func(agent_interface_free);
    for (int i = 0; i < count; i++) {
        if (i < AGENT_INTERFACES_MAX) {
            g_ptr_array_add(interfaces, copy_interface(list[i]));
        }
        virDomainInterfaceFree(list[i]);
    }
    free(list);
    return interfaces;
}

bool hypervisor_ask_acpi_to_reboot(struct hypervisor *h, GError **error)
{
    return virDomainReboot(h->domain, VIR_DOMAIN_REBOOT_ACPI_POWER_BTN) == 0 ||
           fail(error, "cannot reboot the guest");
}

bool hypervisor_ask_agent_to_reboot(struct hypervisor *h, GError **error)
{
    return virDomainReboot(h->domain, VIR_DOMAIN_REBOOT_GUEST_AGENT) == 0 ||
           fail(error, "cannot ask the guest agent to reboot");
}

bool hypervisor_announce(struct hypervisor *h, GError **error)
{
    static const char command[] = "{\"execute\":\"announce-self\",\"arguments\":"
                                  "{\"initial\":50,\"max\":550,\"rounds\":5,\"step\":100}}";
    char *reply = NULL;
    bool ok = virDomainQemuMonitorCommand(h->domain, command, &reply, 0) == 0;
    free(reply);
    return ok || fail(error, "cannot have the guest's network devices announce themselves");
}

bool hypervisor_reset(struct hypervisor *h, GError **error)
{
    return virDomainReset(h->domain, 0) == 0 || fail(error, "cannot reset the guest");
}

GPtrArray *hypervisor_disks_with_errors(struct hypervisor *h, guint count)
{
    GPtrArray *targets = g_ptr_array_new_with_free_func(g_free);
    g_autofree virDomainDiskError *errors = g_new0(virDomainDiskError, count + 1);
    int found = virDomainGetDiskErrors(h->domain, errors, count, 0);
    for (int i = 0; i < found; i++) {
        g_ptr_array_add(targets, g_strdup(errors[i].disk));
        free(errors[i].disk);
    }
    return targets;
}

static GVariant *parameter_value(const virTypedParameter *parameter)
{
    switch (parameter->type) {
    case VIR_TYPED_PARAM_INT:
        return g_variant_new_int32(parameter->value.i);
    case VIR_TYPED_PARAM_UINT:
        return g_variant_new_uint32(parameter->value.ui);
    case VIR_TYPED_PARAM_LLONG:
        return g_variant_new_int64(parameter->value.l);
    case VIR_TYPED_PARAM_ULLONG:
        return g_variant_new_uint64(parameter->value.ul);
    case VIR_TYPED_PARAM_DOUBLE:
        return g_variant_new_double(parameter->value.d);
    case VIR_TYPED_PARAM_BOOLEAN:
        return g_variant_new_boolean(parameter->value.b != 0);
    default:
        return g_variant_new_take_string(g_utf8_make_valid(parameter->value.s, -1));
    }
}

/*
 * All that there are but VIR_DOMAIN_STATS_CPU_TOTAL and _MEMORY: for the sake of cache and
 * bandwidth monitors, which no VM of ours has, those have libvirt probe every QEMU that is
 * installed, in the middle of this one's life; seconds on a busy machine.
 */
#define STATISTICS                                                                                 \
    (VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_VCPU |                   \
     VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK | VIR_DOMAIN_STATS_PERF |                 \
     VIR_DOMAIN_STATS_IOTHREAD | VIR_DOMAIN_STATS_DIRTYRATE | VIR_DOMAIN_STATS_VM)

/* What VIR_DOMAIN_STATS_CPU_TOTAL says without cgroups, by its names. */
static void add_cpu_times(GVariantDict *values, pid_t qemu)
{
    guint64 user, system;
    if (process_times(qemu, &user, &system)) {
        g_variant_dict_insert(values, "cpu.time", "t", user + system);
        g_variant_dict_insert(values, "cpu.user", "t", user);
        g_variant_dict_insert(values, "cpu.system", "t", system);
    }
}

GVariant *hypervisor_statistics(struct hypervisor *h, pid_t qemu, GError **error)
{
    virDomainPtr domains[] = {h->domain, NULL};
    virDomainStatsRecordPtr *records = NULL;
    if (virDomainListGetStats(domains, STATISTICS, &records,
                              VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT) < 0) {
        fail(error, "cannot get the VM's statistics");
        return NULL;
    }
    g_auto(GVariantDict) values = G_VARIANT_DICT_INIT(NULL);
    for (int i = 0; records[0] != NULL && i < records[0]->nparams; i++) {
        const virTypedParameter *parameter = &records[0]->params[i];
        g_variant_dict_insert_value(&values, parameter->field, parameter_value(parameter));
    }
    virDomainStatsRecordListFree(records);
    add_cpu_times(&values, qemu);
    return g_variant_ref_sink(g_variant_dict_end(&values));
}

GVariant *hypervisor_xml(struct hypervisor *h, GError **error)
{
    char *xml = virDomainGetXMLDesc(h->domain, 0);
    if (xml == NULL) {
        fail(error, "cannot get the VM's XML");
        return NULL;
    }
    GVariant *result = g_variant_ref_sink(g_variant_new_string(xml));
    free(xml);
    return result;
}

bool hypervisor_has_internal_error(struct hypervisor *h)
{
    return ask_qemu(h) == HYPERVISOR_FOUND_CRASHED;
}
