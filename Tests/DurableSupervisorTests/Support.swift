import DurableCore
import DurableSupervisor
import Foundation
import Testing

/// A directory of its own for one test, removed at the end; short, because sockets go into it.
final class Folder {
    let path: String

    init() throws {
        let name = String(UInt32.random(in: 0 ... .max), radix: 36)
        path = "\(NSTemporaryDirectory())sup-\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)  // a leftover in the temporary directory harms nobody
    }

    /// The layout of a runtime in this folder.
    var layout: RuntimeLayout { RuntimeLayout(directory: path + "/runtime") }

    func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    func setMode(_ mode: Int, of path: String) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
}

/// The error that a body must end with.
func actorError(_ body: () throws -> Void) -> ActorError? {
    do {
        try body()
        return nil
    } catch {
        return error as? ActorError
    }
}
