#define _GNU_SOURCE
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

_Static_assert(DURABLE_IO_READABLE == EPOLLIN, "epoll's numbers");
_Static_assert(DURABLE_IO_WRITABLE == EPOLLOUT, "epoll's numbers");
_Static_assert(DURABLE_IO_ERROR == EPOLLERR, "epoll's numbers");
_Static_assert(DURABLE_IO_HANGUP == EPOLLHUP, "epoll's numbers");
_Static_assert(DURABLE_IO_PATH_BYTES_MAX + 1 == sizeof(((struct sockaddr_un *)0)->sun_path), "size of a socket path");

static int outcome(int result) { return result < 0 ? -errno : result; }

int durable_io_epoll_create(void) { return outcome(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int epoll, int operation, int fd, uint32_t events, uint64_t key) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = events;
    event.data.u64 = key;
    return outcome(epoll_ctl(epoll, operation, fd, &event));
}

int durable_io_epoll_add(int epoll, int fd, uint32_t events, uint64_t key) {
    return control(epoll, EPOLL_CTL_ADD, fd, events, key);
}

int durable_io_epoll_modify(int epoll, int fd, uint32_t events, uint64_t key) {
    return control(epoll, EPOLL_CTL_MOD, fd, events, key);
}

int durable_io_epoll_remove(int epoll, int fd) { return control(epoll, EPOLL_CTL_DEL, fd, 0, 0); }

static int wait_milliseconds(int epoll, struct epoll_event *events, int capacity, int64_t timeout_ns) {
    int64_t milliseconds = -1;
    if (timeout_ns >= 0) {
        milliseconds = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
        if (milliseconds > INT32_MAX) milliseconds = INT32_MAX;
    }
    return epoll_wait(epoll, events, capacity, (int)milliseconds);
}

/* epoll_pwait2 (Linux 5.11) has nanoseconds; older kernels and strict sandboxes round up to milliseconds. */
static int wait_nanoseconds(int epoll, struct epoll_event *events, int capacity, int64_t timeout_ns) {
#ifdef SYS_epoll_pwait2
    static atomic_int unavailable;
    if (timeout_ns > 0 && !atomic_load_explicit(&unavailable, memory_order_relaxed)) {
        struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
        int count = (int)syscall(SYS_epoll_pwait2, epoll, events, capacity, &timeout, NULL, (size_t)0);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
        atomic_store_explicit(&unavailable, 1, memory_order_relaxed);
    }
#endif
    return wait_milliseconds(epoll, events, capacity, timeout_ns);
}

int durable_io_epoll_wait(int epoll, struct durable_io_event *out, int capacity, int64_t timeout_ns) {
    struct epoll_event events[DURABLE_IO_EVENTS_MAX];
    if (capacity > DURABLE_IO_EVENTS_MAX) capacity = DURABLE_IO_EVENTS_MAX;
    int count = wait_nanoseconds(epoll, events, capacity, timeout_ns);
    if (count < 0) return -errno;
    for (int index = 0; index < count; index++) {
        out[index].key = events[index].data.u64;
        out[index].events = events[index].events;
    }
    return count;
}

int durable_io_wake_create(int epoll, uint64_t key) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return -errno;
    int result = control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, key);
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

int durable_io_wake(int fd) {
    uint64_t one = 1;
    return outcome((int)write(fd, &one, sizeof one));
}

int durable_io_alarm_create(int epoll, uint64_t key) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0) return -errno;
    int result = control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, key);
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

int durable_io_alarm_set(int fd, uint64_t after_ns) {
    struct itimerspec time;
    memset(&time, 0, sizeof time);
    time.it_value.tv_sec = (time_t)(after_ns / 1000000000);
    time.it_value.tv_nsec = (long)(after_ns % 1000000000);
    return outcome(timerfd_settime(fd, 0, &time, NULL));
}

int durable_io_socket(void) { return outcome(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

static int address(struct sockaddr_un *out, const char *path, size_t path_bytes) {
    if (path_bytes == 0) return -EINVAL;
    if (path_bytes > DURABLE_IO_PATH_BYTES_MAX) return -ENAMETOOLONG;
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path, path, path_bytes);
    return 0;
}

int durable_io_bind(int fd, const char *path, size_t path_bytes, uint32_t mode) {
    struct sockaddr_un name;
    int result = address(&name, path, path_bytes);
    if (result < 0) return result;
    /* The mode of an unbound socket becomes the mode of its file: there is no moment with a wider one. */
    if (fchmod(fd, mode) < 0) return -errno;
    if (bind(fd, (struct sockaddr *)&name, sizeof name) < 0) return -errno;
    /* Bits that the process's umask took away. */
    return outcome(chmod(name.sun_path, mode));
}

int durable_io_listen(int fd, int backlog) { return outcome(listen(fd, backlog)); }

int durable_io_connect(int fd, const char *path, size_t path_bytes) {
    struct sockaddr_un name;
    int result = address(&name, path, path_bytes);
    if (result < 0) return result;
    return outcome(connect(fd, (struct sockaddr *)&name, sizeof name));
}

int durable_io_accept(int fd) { return outcome(accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)); }

int durable_io_adopt(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    return outcome(fcntl(fd, F_SETFD, FD_CLOEXEC));
}

int durable_io_duplicate(int fd) { return outcome(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

int durable_io_peer(int fd, struct durable_io_credentials *out) {
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return -errno;
    out->pid = credentials.pid;
    out->uid = credentials.uid;
    out->gid = credentials.gid;
    return 0;
}

int64_t durable_io_send(int fd, const void *bytes, size_t count, const int32_t *descriptors, size_t descriptor_count) {
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    if (descriptor_count == 0) {
        ssize_t sent = send(fd, bytes, count, flags);
        return sent < 0 ? -errno : sent;
    }
    if (descriptor_count > DURABLE_IO_DESCRIPTORS_MAX) return -EINVAL;

    union {
        char bytes[CMSG_SPACE(sizeof(int32_t) * DURABLE_IO_DESCRIPTORS_MAX)];
        struct cmsghdr align;
    } ancillary;
    memset(&ancillary, 0, sizeof ancillary);
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    message.msg_control = ancillary.bytes;
    message.msg_controllen = CMSG_SPACE(sizeof(int32_t) * descriptor_count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int32_t) * descriptor_count);
    memcpy(CMSG_DATA(header), descriptors, sizeof(int32_t) * descriptor_count);
    ssize_t sent = sendmsg(fd, &message, flags);
    return sent < 0 ? -errno : sent;
}

int64_t durable_io_send_pieces(int fd, const struct iovec *pieces, size_t count) {
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = count};
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? -errno : sent;
}

void durable_io_widen(int fd) {
    // The kernel doubles it, and cuts it to what the machine allows.
    int bytes = 832 * 1024;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static void collect(struct cmsghdr *header, struct durable_io_received *out) {
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int32_t);
    for (size_t index = 0; index < count; index++) {
        int32_t fd;
        memcpy(&fd, CMSG_DATA(header) + index * sizeof fd, sizeof fd);
        if (out->descriptor_count < DURABLE_IO_DESCRIPTORS_MAX) {
            out->descriptors[out->descriptor_count++] = fd;
        } else {
            close(fd);
            out->truncated = 1;
        }
    }
}

int durable_io_allow_waiting(int fd) {
    struct timeval limit = {.tv_sec = 0, .tv_usec = 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0) return -errno;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    return outcome(fcntl(fd, F_SETFL, flags & ~O_NONBLOCK));
}

int64_t durable_io_receive(int fd, void *bytes, size_t capacity, int waits, struct durable_io_received *out) {
    union {
        char bytes[CMSG_SPACE(sizeof(int32_t) * DURABLE_IO_DESCRIPTORS_MAX)];
        struct cmsghdr align;
    } ancillary;
    struct iovec vector = {.iov_base = bytes, .iov_len = capacity};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    message.msg_control = ancillary.bytes;
    message.msg_controllen = sizeof ancillary.bytes;
    out->descriptor_count = 0;
    out->truncated = 0;
    ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | (waits ? 0 : MSG_DONTWAIT));
    if (received < 0) return -errno;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) collect(header, out);
    }
    if (message.msg_flags & MSG_CTRUNC) out->truncated = 1;
    return received;
}

int durable_io_name_thread(const char *name) { return -pthread_setname_np(pthread_self(), name); }

uint64_t durable_io_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
