#ifndef WRITE_TRACE_SHIM_H
#define WRITE_TRACE_SHIM_H

#include <stdint.h>

/// Names the file to which everything is added that is done to files below the directory. Without it the library does
/// nothing.
#define WRITE_TRACE_LOG_VARIABLE "WRITE_TRACE_LOG"

/// Names the directory.
#define WRITE_TRACE_DIRECTORY_VARIABLE "WRITE_TRACE_DIRECTORY"

/// Names a file that holds a `struct write_trace_orders`, shared by all processes.
#define WRITE_TRACE_ORDERS_VARIABLE "WRITE_TRACE_ORDERS"

/// Kills that happen exactly between two records: one from outside could come between an operation and its record.
struct write_trace_orders {
    /// The process that does the operation that takes this from 1 to 0 dies right after it, or after half of it.
    int64_t countdown;
    /// The process that gives the orders, and never dies of them.
    int64_t exempt;
    /// How many have died.
    int64_t deaths;
};

/// What was done. Names and bytes follow the record.
enum {
    /// `file` has these bytes at `number`.
    TRACE_WRITE = 1,
    /// The same, and the bytes are durable.
    TRACE_SYNCED_WRITE = 2,
    /// `file` has the length `number`.
    TRACE_TRUNCATE = 3,
    /// A sync of `file` begins, or ends; `number` tells one from another.
    TRACE_SYNC_BEGIN = 4,
    TRACE_SYNC_END = 5,
    /// `file` has a name in directory `number`: it is new there, a new directory, or has got a second name.
    TRACE_CREATE = 6,
    TRACE_MKDIR = 7,
    TRACE_LINK = 8,
    /// `file` moved out of directory `number`: 8 bytes with the new directory, the old name, a zero, the new name.
    TRACE_RENAME = 9,
    /// `file` lost its name in directory `number`.
    TRACE_UNLINK = 10,
    /// Not of the library: caller `file` was told of result `number`.
    TRACE_ACKNOWLEDGED = 11
};

/// What stands before the bytes of each record.
struct write_trace_record {
    uint32_t kind;
    uint32_t length;
    /// An inode's number.
    uint64_t file;
    uint64_t number;
};

#endif
