// What a user of the framework needs besides this module: Swift's own distributed actors, and the plain types of
// options, errors and identities, which live where the pure code can see them.
@_exported public import Distributed
@_exported public import DurableCore
