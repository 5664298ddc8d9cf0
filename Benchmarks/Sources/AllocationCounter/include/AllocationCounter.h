#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

// How often this process has asked for memory so far. Looked up by name, because the library is preloaded and not linked.
uint64_t allocation_counter_count(void);

#endif
