#include "functions.h"

#include <stdint.h>

/* A record of Swift's section; each field but the last is an offset from its own place, 0 for nothing. */
struct record {
    int32_t name;
    int32_t generic_environment;
    int32_t type;
    int32_t function;
    uint32_t flags;
};

/* The linker makes these two; an executable without such a section has neither. */
extern const struct record __start_swift5_accessible_functions[] __attribute__((weak, visibility("hidden")));
extern const struct record __stop_swift5_accessible_functions[] __attribute__((weak, visibility("hidden")));

size_t durable_functions_count(void) {
    uintptr_t start = (uintptr_t)__start_swift5_accessible_functions;
    uintptr_t stop = (uintptr_t)__stop_swift5_accessible_functions;
    return start == 0 ? 0 : (stop - start) / sizeof(struct record);
}

const char *durable_functions_name(size_t index) {
    const struct record *record = &__start_swift5_accessible_functions[index];
    return record->name == 0 ? NULL : (const char *)&record->name + record->name;
}
