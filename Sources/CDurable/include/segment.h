#ifndef DURABLE_SEGMENT_H
#define DURABLE_SEGMENT_H

#include <stddef.h>

// Bytes in shared memory that nobody can change, grow or shrink any more. The memory goes with the last descriptor and
// mapping of it, however the processes that had them ended.

// Copies bytes into a new segment. Returns 0 and a close-on-exec descriptor, or an error number.
int durable_segment_create(const void *bytes, size_t count, int *fd_out);

// Begins a segment that is filled where it is: its memory is there, and can be written. Returns 0 or an error number.
int durable_segment_begin(size_t count, int *fd_out, void **bytes_out);

// Ends the filling, after which nobody can write. Returns 0 or an error number; then the descriptor is closed.
int durable_segment_finish(int fd, void *bytes, size_t count);

// The size of a segment. EINVAL for a descriptor whose contents somebody could still change.
int durable_segment_size(int fd, size_t *count_out);

// Maps a segment for reading.
int durable_segment_map(int fd, size_t count, const void **bytes_out);

// Closes a segment, and ends its mapping if there is one. A large one goes later, on a thread of its own: whoever is the
// last to let go of it has the kernel take its memory apart, which takes a millisecond for some megabytes.
void durable_segment_close(int fd, const void *bytes, size_t count);

// Copies the first bytes of a segment out of it.
int durable_segment_copy(int fd, void *bytes, size_t count);

#endif
