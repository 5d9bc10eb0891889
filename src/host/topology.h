// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What of the host's hardware and kernel can be used from here. */

#include "src/util/cpulist.h"
#include "src/vm/vm_spec.h"

/* The CPUs that this process may run on. */
bool topology_allowed_cpus(struct cpulist *cpus);

/* The NUMA nodes that have memory. False: the kernel does not tell. */
bool topology_memory_nodes(struct cpulist *nodes);

/* Whether the memory policy calls of numa(7) are allowed: engines forbid them without CAP_SYS_NICE.
 */
bool topology_may_set_memory_policy(void);

/* The security module by whose name libvirt may label QEMU from here; NULL: none. */
const char *topology_security_model(void);

/* Huge pages of @kib KiB that nobody uses; 0 also where the kernel has no such size. */
guint64 topology_free_hugepages(guint64 kib);

/* The devices of IOMMU group @number that a guest can have: all but bridges. Of struct
 * vm_pci_device; the caller owns it. */
GArray *topology_vfio_group(guint64 number);
/* "0000:01:00.0" */
bool topology_parse_pci_address(const char *text, struct vm_pci_device *device);

/* The block device under @path (or which it is), and the whole disk where that is a partition. */
bool topology_locate(const char *path, struct vm_location *device, struct vm_location *disk);
