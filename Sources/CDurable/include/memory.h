#ifndef DURABLE_MEMORY_H
#define DURABLE_MEMORY_H

#include <stddef.h>

// Has this process's memory outlive it for the time that the kernel needs to take it apart.
//
// The kernel tells of a process's end, by its pidfd and its sockets, only after it has taken apart the memory that
// belonged to that process alone: some hundred microseconds for a small one, tenths of a second for a gigabyte. From
// this call on the memory belongs to a second process as well, which does nothing, has nothing open but what tells it of
// this process's end, and ends some milliseconds later. All threads of this process are gone when its end is told, as
// before; only its memory is taken apart later.
//
// To be called from a thread that lives as long as the process. Returns 0 or an errno value: then nothing has changed.
int durable_hold_memory(void);

// Has the calling thread run only when no other wants to.
void durable_yield_to_others(void);

// Asks the kernel for large pages for memory that was not touched yet, if there is enough of it that these count.
void durable_prefer_large_pages(void *bytes, size_t count);

// Gives memory that is not used back to the kernel.
void durable_give_back_memory(void);

#endif
