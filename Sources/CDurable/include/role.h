#ifndef DURABLE_ROLE_H
#define DURABLE_ROLE_H

// A program that links this library becomes a supervisor or a worker when it is started with both variables below:
// a constructor looks for them before main, and in that case main never runs.
#define DURABLE_ROLE_VARIABLE "DURABLE_ROLE"
#define DURABLE_CONTROL_VARIABLE "DURABLE_CONTROL_FD"

#define DURABLE_ROLE_SUPERVISOR 1
#define DURABLE_ROLE_WORKER 2

// Exit codes of a process that was told to take a role and could not (sysexits: EX_CONFIG, EX_SOFTWARE).
#define DURABLE_EXIT_BAD_ROLE 78
#define DURABLE_EXIT_ROLE_RETURNED 70

// Runs the role on the main thread and never returns. Swift defines it with @_cdecl in a target above this one; a
// program without a definition cannot take a role. Do not call dispatchMain() in it: park the thread instead.
void durable_role_entry(int role, int control_fd) __attribute__((weak));

#endif
