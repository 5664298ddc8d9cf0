#ifndef DURABLE_IO_H
#define DURABLE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Thin shims over Linux sockets and epoll. Every function returns a value >= 0 on success and a
 * negative errno on failure, so that nothing between the call and its caller can overwrite errno.
 * All descriptors made here are non-blocking and close-on-exec. */

enum {
    DURABLE_IO_READABLE = 0x001,
    DURABLE_IO_WRITABLE = 0x004,
    DURABLE_IO_ERROR = 0x008,
    DURABLE_IO_HANGUP = 0x010,
};

enum {
    /* The longest path of a Unix socket, without its terminating zero. */
    DURABLE_IO_PATH_BYTES_MAX = 107,
    /* Descriptors one received message may carry; more are closed by the kernel and reported as truncation. */
    DURABLE_IO_DESCRIPTORS_MAX = 16,
    /* Events one wait can return. */
    DURABLE_IO_EVENTS_MAX = 256,
};

struct durable_io_event {
    uint64_t key;
    uint32_t events;
};

struct durable_io_credentials {
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
};

struct durable_io_received {
    int32_t descriptors[DURABLE_IO_DESCRIPTORS_MAX];
    uint32_t descriptor_count;
    /* Not 0 if descriptors were lost because there were too many or the process had none free. */
    uint32_t truncated;
};

int durable_io_epoll_create(void);
int durable_io_epoll_add(int epoll, int fd, uint32_t events, uint64_t key);
int durable_io_epoll_modify(int epoll, int fd, uint32_t events, uint64_t key);
int durable_io_epoll_remove(int epoll, int fd);
/* Waits at most timeout_ns nanoseconds, for ever if it is negative. */
int durable_io_epoll_wait(int epoll, struct durable_io_event *out, int capacity, int64_t timeout_ns);

/* An event descriptor that is added edge-triggered: each write wakes once and nobody has to read it. */
int durable_io_wake_create(int epoll, uint64_t key);
int durable_io_wake(int fd);

/* A timer that wakes once each time it is set, added like an event descriptor. */
int durable_io_alarm_create(int epoll, uint64_t key);
int durable_io_alarm_set(int fd, uint64_t after_ns);

int durable_io_socket(void);
int durable_io_bind(int fd, const char *path, size_t path_bytes, uint32_t mode);
int durable_io_listen(int fd, int backlog);
int durable_io_connect(int fd, const char *path, size_t path_bytes);
int durable_io_accept(int fd);
/* Makes a descriptor that came from elsewhere non-blocking and close-on-exec. */
int durable_io_adopt(int fd);
int durable_io_duplicate(int fd);
int durable_io_peer(int fd, struct durable_io_credentials *out);

/* One sendmsg; the descriptors travel with the first byte. Never raises SIGPIPE. */
int64_t durable_io_send(int fd, const void *bytes, size_t count, const int32_t *descriptors, size_t descriptor_count);
/* One sendmsg of several pieces, without descriptors. */
int64_t durable_io_send_pieces(int fd, const struct iovec *pieces, size_t count);
/* Gives a socket a larger buffer, if it may have one, so that both sides can work on a large message at once. */
void durable_io_widen(int fd);
/* One recvmsg; 0 is the end of the stream. With `waits`, and if the socket was set up for it, waits for bytes. */
int64_t durable_io_receive(int fd, void *bytes, size_t capacity, int waits, struct durable_io_received *out);
/*
 * Sets a socket up for receiving that waits, for a few milliseconds. The bound is the socket's own and not poll's: the
 * kernel keeps it in ticks, and setting a precise timer for each wait costs as much as a third of an exchange.
 */
int durable_io_allow_waiting(int fd);

int durable_io_name_thread(const char *name);
uint64_t durable_io_now(void);

#endif
