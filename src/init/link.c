// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/init/link.h"

#include <string.h>
#include <sys/socket.h>

void link_answer(int link)
{
    const struct link_message answer = {.kind = LINK_PONG};
    send(link, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void link_keep(int link, int fd)
{
    struct link_message message = {.kind = LINK_KEEP};
    struct iovec bytes = {&message, sizeof(message)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof(int))}};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    struct msghdr header = {.msg_iov = &bytes,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    sendmsg(link, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}
