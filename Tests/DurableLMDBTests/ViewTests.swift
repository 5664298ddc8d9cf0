import Foundation
import Testing

@testable import DurableLMDB

/// Views of files, their copies, and cuts across several of them.
@Suite("Views and cuts", .timeLimit(.minutes(2)))
struct ViewTests {
    private let folder: Folder
    private let format = StoreFormat(name: "test", version: 3)

    init() throws { folder = try Folder() }

    private func faults(of view: FileView) -> [String] {
        var check = FileCheck(view)
        check.finish()
        return check.faults
    }

    private func count(in view: FileView) -> Int? {
        var count: Int?
        var check = FileCheck(view)
        check.rows(of: "main") { key, value in
            if key.elementsEqual("count".utf8) { count = Int(String(decoding: value, as: UTF8.self)) }
        }
        return count
    }

    @Test("a view and its copy stay what they were while another process commits")
    func staysTheSame() throws {
        let worker = try Worker("count", folder.store)
        var last = 0
        for round in 0..<20 {
            last = try #require(Int(worker.line() ?? ""))
            let view = try FileView.open(folder.store, expecting: format)
            let seen = try #require(count(in: view))
            #expect(seen >= last)
            for _ in 0..<20 { _ = worker.line() }
            #expect(faults(of: view).isEmpty)
            #expect(count(in: view) == seen)
            let copy = folder.path + "/copy-\(round)"
            try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
            try view.copy(to: copy + "/data.mdb")
            let copied = try FileView.open(copy, expecting: format)
            #expect(faults(of: copied).isEmpty)
            #expect(count(in: copied) == seen)
            let environment = try Environment.small(at: copy)
            #expect(try environment.get("count") == "\(seen)")
            try environment.put("count", "written")
            #expect(try environment.get("count") == "written")
        }
    }

    @Test("while a cut holds them, nobody commits to any of its environments; then all go on")
    func holds() throws {
        let stores = ["a", "b", "c"].map { folder.path + "/" + $0 }
        let workers = try stores.map { try Worker("count", $0) }
        for worker in workers { _ = worker.line() }
        for _ in 0..<10 {
            let cut = EnvironmentCut()
            for store in stores {
                #expect(try cut.open(store, expecting: format))
                try cut.hold(store)
            }
            let views = try stores.map { try #require(try cut.view($0)) }
            for view in views { #expect(faults(of: view).isEmpty) }
            let again = try stores.map { try cut.view($0)?.transaction }
            #expect(again == views.map(\.transaction))
            cut.release()
            for (worker, view) in zip(workers, views) {
                let seen = try #require(count(in: view))
                // Each comes to the next number, so nobody is held any more.
                while let line = worker.line(), (Int(line) ?? 0) <= seen {}
                #expect(count(in: view) == seen)
            }
        }
        #expect(try EnvironmentCut().open(folder.path + "/none", expecting: format) == false)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/none"))
    }

    @Test("a cut that has an effect has its cause as well, however long it takes")
    func keepsCauses() throws {
        let (first, second) = (folder.path + "/first", folder.path + "/second")
        let worker = try Worker("count-in-turn", first, second)
        for _ in 0..<20 {
            _ = worker.line()
            let cut = EnvironmentCut()
            for store in [first, second] {
                #expect(try cut.open(store, expecting: format))
                try cut.hold(store)
            }
            let cause = try #require(try cut.view(first))
            // Time enough for whoever is not held.
            for _ in 0..<50 { _ = faults(of: cause) }
            let effect = try #require(try cut.view(second))
            cut.release()
            let (caused, seen) = (try #require(count(in: cause)), count(in: effect) ?? 0)
            #expect((caused - 1...caused).contains(seen))
        }
    }

    @Test("a process that dies while it holds a cut holds up nobody")
    func isFreedByDeath() throws {
        let worker = try Worker("hold-write", folder.store)
        #expect(worker.line() == "ready")
        worker.kill()
        let cut = EnvironmentCut()
        #expect(try cut.open(folder.store, expecting: format))
        try cut.hold(folder.store)
        #expect(faults(of: try #require(try cut.view(folder.store))).isEmpty)
        try FileManager.default.removeItem(atPath: folder.store)
        #expect(try cut.view(folder.store) == nil, "what was removed is in no cut")
    }
}
