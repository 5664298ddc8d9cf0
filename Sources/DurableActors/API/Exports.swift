// What a user of the framework needs besides this module: Swift's own distributed actors, and the plain types of
// options, errors and identities, which live where the pure code can see them. `CBORValue` is what migrations handle
// when the type that a value once had is gone.
@_exported public import CBOR
@_exported public import Distributed
@_exported public import DurableCore
