/// A named key-value map within one environment.
package struct Database: Hashable, Sendable {
    /// The name it was opened by.
    package let name: String

    let index: UInt32
    let environment: UInt64
}
