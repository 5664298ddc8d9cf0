internal import CDurable

/// What a process arranges for itself.
package enum OwnProcess {
    /// Has the kernel tell of this process's end before it takes its memory apart, which takes tenths of a second for a
    /// gigabyte; all of its threads are gone by then, as ever. From a thread that lives as long as the process.
    package static func detachMemory() {
        // Where it cannot be had, others hear of the end a little later.
        _ = durable_hold_memory()
    }

    /// Has the calling thread run only when no other wants to.
    package static func yieldToOthers() { durable_yield_to_others() }

    /// Gives memory that is not used back to the kernel.
    package static func giveBackMemory() { durable_give_back_memory() }
}
