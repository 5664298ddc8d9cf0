#ifndef DURABLE_PROCESS_H
#define DURABLE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// Needs Linux 5.4: CLONE_PIDFD, pidfd_open, waitid(P_PIDFD). Newer calls have fallbacks.

// The control descriptor's number in every child that gets one.
#define DURABLE_CHILD_CONTROL_FD 3

// A descriptor below zero means: none. All descriptors are only borrowed for the call.
struct durable_spawn_request {
    int image_fd;             // an executable opened with O_PATH; a script with an interpreter line does not work here
    char *const *arguments;   // null-terminated, as for execve
    char *const *environment; // null-terminated, as for execve
    int stdout_fd;            // none: /dev/null
    int stderr_fd;            // none: /dev/null
    int control_fd;           // none: descriptor 3 is closed
    bool keeps_core_limit;    // otherwise the child writes no core dumps, and cannot change that
};

// `failed_step` is a literal naming the system call that failed, null on success.
struct durable_spawn_result {
    pid_t pid;
    int pidfd;
    const char *failed_step;
};

// Starts a process in a session of its own and returns 0 once it runs the image. Otherwise returns the errno value of
// the step that failed, and leaves no process and no descriptor behind. The child has default signal handlers, an empty
// signal mask, standard input from /dev/null, no core dumps unless asked for, umask 077 and no descriptors but the ones asked for.
int durable_spawn(const struct durable_spawn_request *request, struct durable_spawn_result *result);

#define DURABLE_EXIT_NONE 0
#define DURABLE_EXIT_EXITED 1
#define DURABLE_EXIT_SIGNALLED 2
#define DURABLE_EXIT_DUMPED 3

// `value` is the exit code or the signal's number; `kind` is NONE while nothing has exited.
struct durable_exit {
    int kind;
    int value;
    pid_t pid;
};

// Non-blocking waits. They return 0 or an errno value (ECHILD: not a child of this process).
int durable_wait_pidfd(int pidfd, struct durable_exit *out);
int durable_wait_pid(pid_t pid, struct durable_exit *out);
// Looks at one exited child without taking its status.
int durable_peek_any(struct durable_exit *out);

// Return 0 or an errno value. A pidfd from here is close-on-exec.
int durable_pidfd_open(pid_t pid, int *pidfd_out);
int durable_pidfd_signal(int pidfd, int signal);
// Signals the process group that the process leads.
int durable_pidfd_signal_group(int pidfd, pid_t pid, int signal);
int durable_become_subreaper(void);

// Opens an executable for durable_spawn. Returns the descriptor, or a negated errno value.
int durable_open_image(const char *path);

// The environment of this process. Not synchronised with setenv.
char **durable_environment(void);

#endif
