#ifndef DURABLE_PAGE_H
#define DURABLE_PAGE_H

#include <stdbool.h>
#include <stdint.h>

// One shared page of counters and notes, written by a worker and read by its supervisor, also after the worker's death.
// All counters are relaxed atomics: each is meaningful alone, and no order between two of them is promised.
struct durable_page;

#define DURABLE_PAGE_BYTES 4096

// How many notes a page has room for.
#define DURABLE_PAGE_NOTES_MAX 64

// What a worker is in the middle of. Only the kind has a meaning here: 0 is no note.
struct durable_page_note {
    uint64_t kind;
    uint64_t actor_high;
    uint64_t actor_low;
    uint64_t session_high;
    uint64_t session_low;
    uint64_t sequence;
    uint64_t job;
};

// Create a sealed page or map an existing one. Both return 0 or an errno value; `create` gives a close-on-exec
// descriptor. `map` refuses with EINVAL what is not such a page, and leaves the descriptor to the caller.
int durable_page_create(int *fd_out, struct durable_page **page_out);
int durable_page_map(int fd, struct durable_page **page_out);
void durable_page_unmap(struct durable_page *page);

void durable_page_add_turns(struct durable_page *page, uint64_t count);
uint64_t durable_page_turns(const struct durable_page *page);
void durable_page_set_heartbeat(struct durable_page *page, uint64_t ticks);
uint64_t durable_page_heartbeat(const struct durable_page *page);
void durable_page_set_control_heartbeat(struct durable_page *page, uint64_t ticks);
uint64_t durable_page_control_heartbeat(const struct durable_page *page);

// The job that the worker's loop runs at this moment; 0 between two jobs.
void durable_page_set_job(struct durable_page *page, uint64_t job);
uint64_t durable_page_job(const struct durable_page *page);

// The calling thread works for this job of the loop, until it says otherwise; 0 for none. Not for the loop's own thread.
void durable_page_set_thread_job(uint64_t job);

// From now on a thread that ends the process, by a signal of its own making or by `exit`, leaves the job that it works for
// on the page. Signals that somebody handles already are left alone. The process ends as it would without this.
void durable_page_watch_crashes(struct durable_page *page);

// The job that the thread which ended the process worked for; 0 when there was none, or when nobody knows.
uint64_t durable_page_crashed_job(const struct durable_page *page);

// Notes are written by one thread, each with its kind last: a death in the middle of writing leaves no note, never half
// of one. `read_note` is for after the writer's death and returns false where there is no note.
void durable_page_set_note(struct durable_page *page, uint32_t index, const struct durable_page_note *note);
void durable_page_clear_note(struct durable_page *page, uint32_t index);
bool durable_page_read_note(const struct durable_page *page, uint32_t index, struct durable_page_note *note_out);

#endif
