// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What the files of the API share.
 *
 * A peer is a connection; it has one exchange, a request and its answer, at a time. An exchange
 * whose answer is not there yet is suspended: libmicrohttpd leaves it alone, so that it is on us to
 * see whether the peer is still there.
 */

#include "src/api/answer.h"
#include "src/api/api.h"
#include "src/api/request.h"

#include <microhttpd.h>

/* How many connections there are at once. Who is past the crowd throws out who has kept us waiting
 * for the longest time, with a request or by not taking an answer, and for longer than the grace.
 * Who is past the throng throws out, if there is none, who has been there for the longest time: a
 * request that follows another at once does not keep the place either. */
#define API_PEERS_MAX 64
#define API_PEERS_THRONG 56
#define API_PEERS_CROWD 48
#define API_GRACE_MS 1000
/* Of these, who waits: for events, for a command's end, for the VM's. With the consoles that is the
 * crowd. */
#define API_LASTING_MAX 32
/* Within which a request must be there, whole, and in which some of the answer must be taken. */
#define API_PATIENCE_SECONDS 10
/* Within which all of the answer must be taken, unless it is one without an end. */
#define API_TAKING_SECONDS 30
/* Past which a question to libvirt is answered with 504. */
#define API_ANSWER_SECONDS 10
/* Past which metrics are told without libvirt's. */
#define API_SCRAPE_MS 3000
/* What one connection costs libmicrohttpd: request line, headers, buffers. */
#define API_PEER_MEMORY (16 * 1024)
/* A body that does not tell its length may be so much longer than it may be: it is read, and thrown
 * away, to be answered with 413. */
#define API_BODY_READ_MAX (1024 * 1024)
/* All bodies that are being read; past that who sends a long one is cut off. */
#define API_BODIES_MAX (8 * 1024 * 1024)
/* What the console's connection is switched to. */
#define API_PROTOCOL "ocivirt-console"
/* What an exchange may be behind: events in bytes, and the console. */
#define API_EVENTS_PENDING_MAX (64 * 1024)
#define API_CONSOLE_PENDING_MAX (1024 * 1024)
#define API_CONSOLES_MAX 16

struct api {
    struct engine *engine;
    enum api_door door;
    struct engine_observer observer;
    guint first_client; /* GSource ids; 0: not set */
    guint timer;
    guint sweep;
    guint keepalive;
    struct MHD_Daemon *daemon;  /* NULL: there was no client yet */
    GQueue peers;               /* of struct peer, oldest first */
    GSList *waiting;            /* of struct exchange: for the VM's end */
    GSList *scrapes;            /* of struct exchange: for statistics */
    bool statistics_asked;      /* and not told yet */
    gint64 statistics_asked_at; /* µs, monotonic */
    GSList *calling;            /* of struct exchange: for the guest's agent */
    GSList *streams;            /* of struct stream: events.c */
    GSList *consoles;           /* of struct attachment: attach.c */
    unsigned exchanges;         /* that are not over */
    gsize bodies;               /* bytes of all their bodies */
    int exit_status;            /* -1: not yet */
};

struct peer {
    int fd;
    gint64 awaited_since; /* µs, monotonic; 0: it waits for us, or its answer has no end */
    bool answered;        /* it is awaited to take the answer; else to send its request */
    bool lasts;           /* what it has asked for may take as long as the VM lives */
    bool cut_off;         /* libmicrohttpd will see it, and close */
};

struct exchange {
    struct api *api;
    struct MHD_Connection *connection;
    int fd;
    struct request request;
    GByteArray *body;  /* NULL: it has been read */
    guint64 body_read; /* bytes */
    bool received;     /* all of the request */
    bool gone;         /* the peer is */
    bool suspended;
    guint hangup; /* GSource ids; 0: not set */
    guint overdue;
    struct question *question; /* which waits for an answer; NULL: none */
    struct agent_call *call;   /* which waits for the guest's agent; NULL: none */
    struct stream *stream;     /* of events; NULL: none */
    struct MHD_Response *answer;
    unsigned status;
};

/* libmicrohttpd is to be run soon: something was done to it outside of its own callbacks. */
void api_wake(struct api *api);

/* server.c: of the exchange's life. */
void exchange_suspend(struct exchange *x);
void exchange_resume(struct exchange *x);
/* Takes @json, or @response. */
void exchange_answer(struct exchange *x, unsigned status, char *json);
void exchange_respond(struct exchange *x, unsigned status, struct MHD_Response *response);
/* @text, which stays the caller's, of the media type @type. */
void exchange_say(struct exchange *x, unsigned status, const char *type, const char *text);
void exchange_refuse(struct exchange *x, unsigned status, const char *message);

/* resources.c: does what a request asks for, now that all of it is there. Either it has been
 * answered afterwards, or it is suspended. */
void resource_serve(struct exchange *x);
/* Whoever asks for @resource may wait for ever, and is not thrown out for somebody else: there are
 * few of them, so that there is room to ask for the state, or to stop the VM. */
bool resource_lasts(enum api_resource resource);
/* The exchange is over. */
void resource_forget(struct exchange *x);
void resource_tell_end(struct api *api);

/* guest.c: what the guest's agent is asked for. */
void guest_serve(struct exchange *x);
void guest_forget(struct exchange *x);
void guest_tell_end(struct api *api);

/* scrape.c: what monitoring asks for. */
void scrape_serve(struct exchange *x);
void scrape_forget(struct exchange *x);
void scrape_tell_end(struct api *api);

/* events.c */
void events_serve(struct exchange *x);
void events_forget(struct exchange *x);
void events_tell(struct api *api, enum engine_news news);
void events_tell_end(struct api *api);

/* attach.c */
void attach_serve(struct exchange *x);
void attach_output(struct api *api, const char *bytes, gsize length);
void attach_tell_end(struct api *api);
