#define _GNU_SOURCE
#include "role.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

typedef void (*initializer)(int, char **, char **);

// The linker's own names for this image's list of constructors.
extern initializer __init_array_start[] __attribute__((weak, visibility("hidden")));
extern initializer __init_array_end[] __attribute__((weak, visibility("hidden")));

static void take_role(int argc, char **argv, char **envp);

__attribute__((noreturn, format(printf, 2, 3)))
static void refuse(int code, const char *format, ...) {
    char line[256];
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    __builtin_va_end(arguments);
    if (length < 0) length = 0;
    if ((size_t)length > sizeof line - 2) length = sizeof line - 2;
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, (size_t)length);
    (void)written;
    _exit(code);
}

static int parse_role(const char *text) {
    if (strcmp(text, "supervisor") == 0) return DURABLE_ROLE_SUPERVISOR;
    if (strcmp(text, "worker") == 0) return DURABLE_ROLE_WORKER;
    refuse(DURABLE_EXIT_BAD_ROLE, "durable: %s is '%.64s', which is no role (supervisor, worker)",
           DURABLE_ROLE_VARIABLE, text);
}

// Standard input, output and error are never a control descriptor.
static int parse_control_descriptor(const char *text) {
    if (text == NULL) {
        refuse(DURABLE_EXIT_BAD_ROLE, "durable: %s is set without %s; only a supervisor or driver starts roles",
               DURABLE_ROLE_VARIABLE, DURABLE_CONTROL_VARIABLE);
    }
    long value = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9' && value <= INT_MAX / 10 - 1; digit++) value = value * 10 + (*digit - '0');
    if (digit == text || *digit != '\0' || value <= STDERR_FILENO) {
        refuse(DURABLE_EXIT_BAD_ROLE, "durable: %s is '%.64s', which is no descriptor", DURABLE_CONTROL_VARIABLE, text);
    }
    return (int)value;
}

static void check_control_descriptor(int fd) {
    struct stat status;
    if (fstat(fd, &status) < 0) {
        refuse(DURABLE_EXIT_BAD_ROLE, "durable: control descriptor %d is not open", fd);
    }
    int domain = 0;
    socklen_t length = sizeof domain;
    if (!S_ISSOCK(status.st_mode) || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 || domain != AF_UNIX) {
        refuse(DURABLE_EXIT_BAD_ROLE, "durable: control descriptor %d is not a Unix socket", fd);
    }
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        refuse(DURABLE_EXIT_BAD_ROLE, "durable: control descriptor %d: %s", fd, strerror(errno));
    }
}

// Constructors of one image run in link order. Those that come after this one (statically linked libdispatch and
// Swift runtime, C++ globals of the program) must have run before Swift code does. The entry never returns to the
// loader, so running them here runs them once.
static void run_later_initializers(int argc, char **argv, char **envp) {
    initializer *const start = __init_array_start;
    initializer *const end = __init_array_end;
    if (start == NULL || end == NULL) return;
    for (initializer *own = start; own < end; own++) {
        if (*own != take_role) continue;
        for (initializer *later = own + 1; later < end; later++) {
            if ((uintptr_t)*later != 0 && (uintptr_t)*later != UINTPTR_MAX) (*later)(argc, argv, envp);
        }
        return;
    }
}

// Without a priority, so that it sorts behind every constructor that has one.
__attribute__((constructor))
static void take_role(int argc, char **argv, char **envp) {
    // secure_getenv: whoever runs a set-user-id program must not choose its role.
    const char *role_text = secure_getenv(DURABLE_ROLE_VARIABLE);
    if (role_text == NULL) return;

    int role = parse_role(role_text);
    int control_fd = parse_control_descriptor(secure_getenv(DURABLE_CONTROL_VARIABLE));
    check_control_descriptor(control_fd);
    if (durable_role_entry == NULL) {
        refuse(DURABLE_EXIT_BAD_ROLE, "durable: this program cannot take a role: it has no role entry point");
    }
    // The program's own children must not take the role again.
    unsetenv(DURABLE_ROLE_VARIABLE);
    unsetenv(DURABLE_CONTROL_VARIABLE);
    // A peer that went away and a file at its size limit are errors to handle, not reasons to die.
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);

    run_later_initializers(argc, argv, envp);
    durable_role_entry(role, control_fd);
    refuse(DURABLE_EXIT_ROLE_RETURNED, "durable: the role entry point returned");
}
