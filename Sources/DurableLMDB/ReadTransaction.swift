/// One unchanging view of an environment, ended when the closure that got it returns.
package struct ReadTransaction: ~Copyable, ReadableTransaction {
    package let access: TransactionAccess
    private let environment: Environment

    init(_ pointer: OpaquePointer, in environment: Environment) {
        access = TransactionAccess(pointer: pointer, environment: environment)
        self.environment = environment
    }

    deinit {
        environment.endRead(access.pointer)
    }
}
