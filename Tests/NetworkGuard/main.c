// Runs a program and everything that it starts, and reports each attempt to make a socket that is not a Unix socket.
//
// The kernel stops such an attempt before it happens, asks this process, and answers it with EACCES. The filter is
// inherited by all descendants, also those that leave the session or outlive the program, and cannot be taken off.
//
// NetworkGuard REPORT PROGRAM ARGUMENTS...
// REPORT gets a line for each attempt. Ends as the program did (128 + signal when a signal ended it), and waits for
// the last descendant before it does; with 97 when the guard cannot be set up.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the guard knows the system calls of x86_64 and aarch64"
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQUAL(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (then), (otherwise))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))

static void fail(const char *step) {
    fprintf(stderr, "NetworkGuard: %s: %s\n", step, strerror(errno));
    exit(97);
}

// socket and socketpair of another family than AF_UNIX are asked about. Ways around the two, system calls of another
// architecture and io_uring, which can make sockets, are asked about as well.
static int install_filter(void) {
    struct sock_filter filter[] = {
        LOAD(arch),
        IF_EQUAL(OWN_ARCHITECTURE, 0, 6),
        LOAD(nr),
        IF_EQUAL(SYS_io_uring_setup, 4, 0),
        IF_EQUAL(SYS_socket, 1, 0),
        IF_EQUAL(SYS_socketpair, 0, 3),
        LOAD(args[0]),
        IF_EQUAL(AF_UNIX, 1, 0),
        RETURN(SECCOMP_RET_USER_NOTIF),
        RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("prctl(PR_SET_NO_NEW_PRIVS)");
    int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0) fail("seccomp with a listener");
    return listener;
}

static void send_descriptor(int channel, int descriptor) {
    char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    if (sendmsg(channel, &message, 0) != 1) fail("handing over the listener");
}

static int receive_descriptor(int channel) {
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1) exit(97);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS) exit(97);
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    return descriptor;
}

static void command_of(pid_t pid, char *name, size_t bytes) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(name, (int)bytes, file) == NULL) snprintf(name, bytes, "?");
    if (file != NULL) fclose(file);
    name[strcspn(name, "\n")] = '\0';
}

static void answer(int listener, FILE *report) {
    struct seccomp_notif asked;
    memset(&asked, 0, sizeof asked);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0) return;
    char name[64];
    command_of((pid_t)asked.pid, name, sizeof name);
    fprintf(report, "%s (%u): system call %d, family %llu\n", name, asked.pid, asked.data.nr, asked.data.args[0]);
    fflush(report);
    struct seccomp_notif_resp response = {.id = asked.id, .error = -EACCES};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: NetworkGuard REPORT PROGRAM ARGUMENTS...\n");
        return 97;
    }
    FILE *report = fopen(argv[1], "we");
    if (report == NULL) fail(argv[1]);
    int channel[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) < 0) fail("socketpair");
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        // Whoever started the guard may kill it; what it guards must not go on unseen.
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        int listener = install_filter();
        send_descriptor(channel[1], listener);
        close(listener);
        execvp(argv[2], argv + 2);
        fail(argv[2]);
    }
    close(channel[1]);
    int listener = receive_descriptor(channel[0]);
    int status = 0;
    bool is_reaped = false;
    for (;;) {
        // Older kernels count a process as guarded until it is reaped, so the child's end is looked for all the time.
        if (!is_reaped) is_reaped = waitpid(child, &status, WNOHANG) == child;
        struct pollfd entry = {.fd = listener, .events = POLLIN};
        if (poll(&entry, 1, is_reaped ? -1 : 50) < 0 && errno != EINTR) fail("poll");
        if (entry.revents & POLLIN) answer(listener, report);
        // Nobody has the filter any more.
        else if (entry.revents & POLLHUP) break;
    }
    if (!is_reaped) waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
