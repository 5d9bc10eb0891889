// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/hypervisor.h"
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
        h->handler(HYPERVISOR_CRASHED, h->data);
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

/*
 * As root libvirt sets QEMU's capabilities, and fails late and unclearly ("cannot apply process
 * capabilities -5") without these. As a plain user it needs none.
 */
static bool check_capabilities(GError **error)
{
    static const struct {
        int number; /* linux/capability.h */
        const char *name;
    } needed[] = {{1, "DAC_OVERRIDE"}, {6, "SETGID"}, {7, "SETUID"}, {8, "SETPCAP"}};

    g_autofree char *status = NULL;
    const char *line = NULL;
    if (geteuid() != 0 || !g_file_get_contents("/proc/self/status", &status, NULL, NULL) ||
        (line = strstr(status, "\nCapEff:")) == NULL) {
        return true;
    }
    guint64 effective = g_ascii_strtoull(line + strlen("\nCapEff:"), NULL, 16);
    for (gsize i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (!(effective & (guint64)1 << needed[i].number)) {
            g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                        "as root, libvirt's QEMU driver needs capability CAP_%s, which is not "
                        "there; run as a plain user, who needs none (podman: --user 1000), or add "
                        "DAC_OVERRIDE, SETGID, SETUID and SETPCAP",
                        needed[i].name);
            return false;
        }
    }
    return true;
}

struct hypervisor *hypervisor_open(const char *root, hypervisor_handler *handler, void *data,
                                   GError **error)
{
    if (!check_capabilities(error)) {
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
        fail(error, "cannot open libvirt's embedded QEMU driver (Debian: "
                    "libvirt-daemon-driver-qemu)");
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

bool hypervisor_probe(struct hypervisor *h, const char *emulator, const char *arch,
                      const char *machine, GError **error)
{
    char *capabilities =
        virConnectGetDomainCapabilities(h->connection, emulator, arch, machine, NULL, 0);
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
    const char *machine = spec->machine != NULL ? spec->machine : vm_arch_machine(spec->arch);
    if (hypervisor_probe(h, spec->emulator, vm_arch_name(spec->arch), machine, error)) {
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

bool hypervisor_resume(struct hypervisor *h, GError **error)
{
    return virDomainResume(h->domain) == 0 || fail(error, "cannot resume the VM");
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

bool hypervisor_reboot(struct hypervisor *h, GError **error)
{
    return virDomainReboot(h->domain, VIR_DOMAIN_REBOOT_DEFAULT) == 0 ||
           fail(error, "cannot reboot the guest");
}

bool hypervisor_reset(struct hypervisor *h, GError **error)
{
    return virDomainReset(h->domain, 0) == 0 || fail(error, "cannot reset the guest");
}

bool hypervisor_has_internal_error(struct hypervisor *h)
{
    char *reply = NULL;
    bool internal_error =
        virDomainQemuMonitorCommand(h->domain, "{\"execute\":\"query-status\"}", &reply, 0) == 0 &&
        strstr(reply, "\"internal-error\"") != NULL;
    free(reply);
    return internal_error;
}
