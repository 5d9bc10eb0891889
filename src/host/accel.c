// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/accel.h"
#include "src/util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool explain_open(int saved_errno, GError **error)
{
    const char *remedy = "";
    if (saved_errno == ENOENT) {
        remedy = "; in a container, pass it in: --device /dev/kvm";
    } else if (saved_errno == EACCES || saved_errno == EPERM) {
        remedy =
            "; this user needs the group that owns it: --group-add keep-groups, or --group-add "
            "with the number of the host's group kvm";
    }
    g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "cannot open /dev/kvm: %s%s",
                g_strerror(saved_errno), remedy);
    return false;
}

bool accel_kvm_usable(GError **error)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        return explain_open(errno, error);
    }
    bool ok = false;
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "/dev/kvm is there, but makes no VM");
    } else if (!accel_arch_runs_guest_code(kvm, vm)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "/dev/kvm is there, but this host emulates guest code instead of running it, "
                    "which no ordinary kernel survives (nested virtualisation is off?)");
    } else {
        ok = true;
    }
    if (vm >= 0) {
        close(vm);
    }
    close(kvm);
    return ok;
}
