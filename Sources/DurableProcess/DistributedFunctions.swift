internal import CDurable

/// The distributed methods that are linked into this executable.
package enum DistributedFunctions {
    /// Their mangled names. Those of shared libraries are not among them.
    package static var names: [String] {
        (0..<durable_functions_count()).compactMap { index in durable_functions_name(index).map { String(cString: $0) }
        }
    }
}
