#ifndef SOAK_SYSTEM_H
#define SOAK_SYSTEM_H

#include <stdint.h>

/// Shuts an ext4 file system down at once, by a descriptor of any file on it: nothing reaches its device any more.
/// With `flushes_log` its journal is written first; else what was not written by then is lost.
/// Returns 0, or a number of errno.
int soak_shut_down(int descriptor, int flushes_log);

/// Has everything written that is on the file system of this descriptor. Returns 0, or a number of errno.
int soak_write_back(int descriptor);

/// Waits up to this long for SIGINT, SIGTERM or SIGHUP, which `soak_hold_signals` holds back. Returns it, or 0.
int soak_wait_for_signal(int milliseconds);

/// Holds these signals back in this process.
void soak_hold_signals(void);

/// Takes them again, as a process that was started with them held back does.
void soak_release_signals(void);

#endif
