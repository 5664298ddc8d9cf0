internal import CDurable

/// Names the calling thread, for people who look at the process; otherwise it has the name of the one that started it.
package func nameThread(_ name: String) {
    _ = durable_io_name_thread(String(decoding: name.utf8.prefix(15), as: UTF8.self))
}
