#ifndef DURABLE_PAGE_H
#define DURABLE_PAGE_H

#include <stdint.h>

// One shared page of counters, written by a worker and read by its supervisor, also after the worker's death.
// All counters are relaxed atomics: each is meaningful alone, and no order between two of them is promised.
struct durable_page;

#define DURABLE_PAGE_BYTES 4096

// Create a sealed page or map an existing one. Both return 0 or an errno value; `create` gives a close-on-exec
// descriptor. `map` refuses with EINVAL what is not such a page, and leaves the descriptor to the caller.
int durable_page_create(int *fd_out, struct durable_page **page_out);
int durable_page_map(int fd, struct durable_page **page_out);
void durable_page_unmap(struct durable_page *page);

void durable_page_add_turns(struct durable_page *page, uint64_t count);
uint64_t durable_page_turns(const struct durable_page *page);
void durable_page_set_heartbeat(struct durable_page *page, uint64_t ticks);
uint64_t durable_page_heartbeat(const struct durable_page *page);
void durable_page_set_call_note(struct durable_page *page, uint64_t note);
uint64_t durable_page_call_note(const struct durable_page *page);

#endif
