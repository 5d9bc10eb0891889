// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/helper.h"
#include "src/util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A guest that shares a folder read-only must not be able to write to it, whatever it makes
 * virtiofsd do. QEMU 7.2's virtiofsd cannot be told, and a read-only mount takes privileges; a
 * seccomp filter takes none, and holds for a virtiofsd that the guest has taken over, too.
 */

static const int changing[] = {
    SCMP_SYS(creat),       SCMP_SYS(truncate),     SCMP_SYS(ftruncate),    SCMP_SYS(fallocate),
    SCMP_SYS(unlink),      SCMP_SYS(unlinkat),     SCMP_SYS(rmdir),        SCMP_SYS(rename),
    SCMP_SYS(renameat),    SCMP_SYS(renameat2),    SCMP_SYS(mkdir),        SCMP_SYS(mkdirat),
    SCMP_SYS(mknod),       SCMP_SYS(mknodat),      SCMP_SYS(symlink),      SCMP_SYS(symlinkat),
    SCMP_SYS(link),        SCMP_SYS(linkat),       SCMP_SYS(chmod),        SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),    SCMP_SYS(chown),        SCMP_SYS(fchown),       SCMP_SYS(lchown),
    SCMP_SYS(fchownat),    SCMP_SYS(utime),        SCMP_SYS(utimes),       SCMP_SYS(utimensat),
    SCMP_SYS(futimesat),   SCMP_SYS(setxattr),     SCMP_SYS(lsetxattr),    SCMP_SYS(fsetxattr),
    SCMP_SYS(removexattr), SCMP_SYS(lremovexattr), SCMP_SYS(fremovexattr),
};

/* Calls that carry their flags in memory, where a filter cannot look: who is told that they are not
 * there does without. By number those that older libraries have no name for: fchmodat2, setxattrat,
 * removexattrat, open_tree_attr, file_setattr. */
static const int opaque[] = {SCMP_SYS(openat2), SCMP_SYS(io_uring_setup), 452, 463, 466, 467, 469};

/* Ways round all that, none of which virtiofsd has a use for: by flags of files, by handles, by
 * mounts, and by way of other processes and sockets of the same user. */
static const int detours[] = {
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(mount),
    SCMP_SYS(fsopen),
    SCMP_SYS(move_mount),
    SCMP_SYS(swapon),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(fanotify_init),
};

/* Flags of open(2) with which something can be changed. */
static const int writing[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC};

static int add_rules(scmp_filter_ctx context)
{
    int result = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(changing) && result == 0; i++) {
        result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EROFS), changing[i], 0);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(opaque) && result == 0; i++) {
        result = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), opaque[i], 0);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(detours) && result == 0; i++) {
        result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), detours[i], 0);
    }
    /* What isatty(3) gets of a file. */
    result = result != 0 ? result
                         : seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0);
    for (gsize i = 0; i < G_N_ELEMENTS(writing) && result == 0; i++) {
        guint64 flag = writing[i];
        result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EROFS), SCMP_SYS(openat), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, flag, flag));
        result = result != 0 ? result
                             : seccomp_rule_add(context, SCMP_ACT_ERRNO(EROFS), SCMP_SYS(open), 1,
                                                SCMP_A1(SCMP_CMP_MASKED_EQ, flag, flag));
    }
    return result;
}

static GBytes *read_whole(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || status.st_size <= 0) {
        return NULL;
    }
    g_autofree char *bytes = g_malloc(status.st_size);
    return pread(fd, bytes, status.st_size, 0) == status.st_size
               ? g_bytes_new_take(g_steal_pointer(&bytes), status.st_size)
               : NULL;
}

GBytes *helper_readonly_filter(GError **error)
{
    GBytes *filter = NULL;
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    int fd = memfd_create("readonly", MFD_CLOEXEC);
    if (context != NULL && fd >= 0 && add_rules(context) == 0 &&
        seccomp_export_bpf(context, fd) == 0) {
        filter = read_whole(fd);
    }
    if (filter == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_INTERNAL,
                    "cannot make the filter that keeps a shared folder read-only");
    }
    if (fd >= 0) {
        close(fd);
    }
    seccomp_release(context);
    return filter;
}
