#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP (1U << 2)
#endif
// P_PIDFD is an enumerator in some headers and missing in others; the kernel's value is 3.
#define WAIT_ON_PIDFD ((idtype_t)3)

#define CHILD_STACK_BYTES (64 * 1024)
#define FIRST_SPARE_FD (DURABLE_CHILD_CONTROL_FD + 1)
// The kernel's signal set: 64 signals. The C library's calls leave out the two that it keeps for itself.
#define KERNEL_SIGSET_BYTES 8
#define SIGNAL_LAST 64

struct child_context {
    const struct durable_spawn_request *request;
    // Written by the child before it gives up, read by the parent, which is suspended until then.
    volatile int error;
    const char *volatile failed_step;
};

// Everything from here to `child_main` runs in the child, in the parent's memory and on a borrowed stack, while the
// parent's thread stands still: system calls only, no locks, no allocation.

static int fail(struct child_context *context, const char *step) {
    context->error = errno;
    context->failed_step = step;
    return -1;
}

// The kernel's struct sigaction is all zero for the default action, and no larger than this on any architecture.
static void reset_signal_handlers(void) {
    uint64_t default_action[4] = {0};
    for (int signal = 1; signal <= SIGNAL_LAST; signal++) {
        if (signal == SIGKILL || signal == SIGSTOP) continue;
        syscall(SYS_rt_sigaction, signal, default_action, NULL, (size_t)KERNEL_SIGSET_BYTES);
    }
}

// Moves a descriptor out of the range that the child's own are about to fill.
static int move_up(int fd) {
    if (fd < 0 || fd >= FIRST_SPARE_FD) return fd;
    return fcntl(fd, F_DUPFD_CLOEXEC, FIRST_SPARE_FD);
}

static void mark_close_on_exec(int fd) {
    int flags = fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

// For kernels before 5.11: one by one, as /proc lists them, or up to the limit when there is no /proc.
static void mark_each_close_on_exec(int first) {
    struct entry {
        uint64_t inode;
        int64_t offset;
        unsigned short length;
        unsigned char type;
        char name[];
    };
    int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 1 << 20) limit.rlim_cur = 1 << 20;
        for (int fd = first; fd < (int)limit.rlim_cur; fd++) mark_close_on_exec(fd);
        return;
    }
    _Alignas(8) char buffer[4096];
    for (;;) {
        long bytes = syscall(SYS_getdents64, directory, buffer, sizeof buffer);
        if (bytes <= 0) break;
        for (long at = 0; at < bytes;) {
            const struct entry *entry = (const struct entry *)(const void *)(buffer + at);
            at += entry->length;
            int fd = 0;
            const char *digit = entry->name;
            for (; *digit >= '0' && *digit <= '9'; digit++) fd = fd * 10 + (*digit - '0');
            if (digit != entry->name && fd >= first) mark_close_on_exec(fd);
        }
    }
    close(directory);
}

static void mark_rest_close_on_exec(int first) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
#endif
    mark_each_close_on_exec(first);
}

// Fills descriptors 0 to 3 and returns the image's descriptor, or -1.
static int arrange_descriptors(struct child_context *context) {
    const struct durable_spawn_request *request = context->request;
    int image = move_up(request->image_fd);
    int out = move_up(request->stdout_fd);
    int err = move_up(request->stderr_fd);
    int control = move_up(request->control_fd);
    if (image < 0 || (out < 0 && request->stdout_fd >= 0) || (err < 0 && request->stderr_fd >= 0)
        || (control < 0 && request->control_fd >= 0)) {
        if (request->image_fd < 0) errno = EBADF;
        return fail(context, "fcntl(F_DUPFD_CLOEXEC)");
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (null < 0) return fail(context, "open(/dev/null)");
    null = move_up(null);
    if (null < 0) return fail(context, "fcntl(F_DUPFD_CLOEXEC)");
    if (dup2(null, STDIN_FILENO) < 0) return fail(context, "dup2(standard input)");
    if (dup2(out < 0 ? null : out, STDOUT_FILENO) < 0) return fail(context, "dup2(standard output)");
    if (dup2(err < 0 ? null : err, STDERR_FILENO) < 0) return fail(context, "dup2(standard error)");
    int first_unused = DURABLE_CHILD_CONTROL_FD;
    if (control >= 0) {
        if (dup2(control, DURABLE_CHILD_CONTROL_FD) < 0) return fail(context, "dup2(control descriptor)");
        first_unused += 1;
    }
    mark_rest_close_on_exec(first_unused);
    return image;
}

static int run_child(struct child_context *context) {
    // All signals are blocked here, and no handler of the parent may ever run in its memory on the child's behalf.
    reset_signal_handlers();
    if (setsid() < 0) return fail(context, "setsid");
    int image = arrange_descriptors(context);
    if (image < 0) return -1;
    struct rlimit none = {0, 0};
    if (!context->request->keeps_core_limit && setrlimit(RLIMIT_CORE, &none) < 0) return fail(context, "setrlimit(RLIMIT_CORE)");
    umask(077);
    uint64_t no_signals = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, (size_t)KERNEL_SIGSET_BYTES);
    syscall(SYS_execveat, image, "", context->request->arguments, context->request->environment, AT_EMPTY_PATH);
    return fail(context, "execveat");
}

static int child_main(void *argument) {
    run_child(argument);
    _exit(127);
}

static int start_child(struct child_context *context, void *stack, struct durable_spawn_result *result) {
    uint64_t all_signals = ~UINT64_C(0), mask_before = 0;
    int cancel_state = 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all_signals, &mask_before, (size_t)KERNEL_SIGSET_BYTES);
    // With CLONE_VFORK this thread goes on when the child has called execve or exited; with CLONE_VM no page table is
    // copied, so the cost does not grow with this process.
    result->pid = clone(child_main, (char *)stack + CHILD_STACK_BYTES,
                        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, context, &result->pidfd);
    int error = result->pid < 0 ? errno : 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask_before, NULL, (size_t)KERNEL_SIGSET_BYTES);
    pthread_setcancelstate(cancel_state, NULL);
    return error;
}

int durable_spawn(const struct durable_spawn_request *request, struct durable_spawn_result *result) {
    *result = (struct durable_spawn_result){.pid = -1, .pidfd = -1, .failed_step = NULL};
    struct child_context context = {.request = request, .error = 0, .failed_step = NULL};
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = CHILD_STACK_BYTES + guard;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        result->failed_step = "mmap";
        return errno;
    }
    mprotect(memory, guard, PROT_NONE);
    int error = start_child(&context, memory + guard, result);
    munmap(memory, bytes);
    if (error != 0) {
        result->failed_step = "clone";
        return error;
    }
    if (context.error == 0) return 0;

    siginfo_t ignored;
    while (waitid(WAIT_ON_PIDFD, (id_t)result->pidfd, &ignored, WEXITED) < 0 && errno == EINTR) {}
    close(result->pidfd);
    *result = (struct durable_spawn_result){.pid = -1, .pidfd = -1, .failed_step = context.failed_step};
    return context.error;
}

static int wait_without_blocking(idtype_t type, id_t id, int flags, struct durable_exit *out) {
    *out = (struct durable_exit){.kind = DURABLE_EXIT_NONE, .value = 0, .pid = 0};
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (waitid(type, id, &info, WEXITED | WNOHANG | flags) < 0) return errno;
    if (info.si_pid == 0) return 0;
    out->pid = info.si_pid;
    out->value = info.si_status;
    switch (info.si_code) {
    case CLD_EXITED: out->kind = DURABLE_EXIT_EXITED; break;
    case CLD_DUMPED: out->kind = DURABLE_EXIT_DUMPED; break;
    default: out->kind = DURABLE_EXIT_SIGNALLED; break;
    }
    return 0;
}

int durable_wait_pidfd(int pidfd, struct durable_exit *out) {
    return wait_without_blocking(WAIT_ON_PIDFD, (id_t)pidfd, 0, out);
}

int durable_wait_pid(pid_t pid, struct durable_exit *out) {
    return wait_without_blocking(P_PID, (id_t)pid, 0, out);
}

int durable_peek_any(struct durable_exit *out) {
    return wait_without_blocking(P_ALL, 0, WNOWAIT, out);
}

int durable_pidfd_open(pid_t pid, int *pidfd_out) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return errno;
    *pidfd_out = fd;
    return 0;
}

int durable_pidfd_signal(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? errno : 0;
}

int durable_pidfd_signal_group(int pidfd, pid_t pid, int signal) {
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, PIDFD_SIGNAL_PROCESS_GROUP) == 0) return 0;
    if (errno != EINVAL) return errno;
    // Kernels before 6.9. While its leader lives, and until it is reaped, the group's number names no other group.
    int error = durable_pidfd_signal(pidfd, 0);
    if (error != 0) return error;
    return kill(-pid, signal) < 0 ? errno : 0;
}

int durable_become_subreaper(void) {
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? errno : 0;
}

int durable_open_image(const char *path) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

char **durable_environment(void) {
    return environ;
}
