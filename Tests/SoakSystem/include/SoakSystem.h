#ifndef SOAK_SYSTEM_H
#define SOAK_SYSTEM_H

#include <stdint.h>

/// Shuts an ext4 file system down at once, by a descriptor of any file on it: nothing reaches its device any more.
/// With `flushes_log` its journal is written first; else what was not written by then is lost.
/// Returns 0, or a number of errno.
int soak_shut_down(int descriptor, int flushes_log);

/// Has everything written that is on the file system of this descriptor. Returns 0, or a number of errno.
int soak_write_back(int descriptor);

/// From here on SIGINT, SIGTERM and SIGHUP end nothing, and are noted.
void soak_note_signals(void);

/// The last one that came since the last question; 0 for none.
int soak_noted_signal(void);

#endif
