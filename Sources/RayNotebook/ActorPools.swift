import DurableActors

/// Does small jobs for a pool.
distributed actor PoolWorker: DurableActor {
    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func process(_ x: Int) -> Int { x * x }
}

func actorPools(_ runtime: ActorRuntime, _ notebook: Notebook) async throws {
    notebook.begin("Actor pool abstraction")
    var workers: [PoolWorker] = []
    for _ in 0..<4 { workers.append(try await runtime.spawn(PoolWorker.self)) }
    let pool = try ActorPool(workers, results: Int.self)
    let squares = (0..<10).map { $0 * $0 }

    var results: [Int] = []
    for try await result in pool.map(0..<10, { try await $0.process($1) }) { results.append(result) }
    notebook.check("a map over 0 to 9 gives the squares, in the order of the inputs", results == squares)

    results = []
    for try await result in pool.mapUnordered(0..<10, { try await $0.process($1) }) { results.append(result) }
    notebook.check("without order it gives the same, as they come", results.sorted() == squares)

    for x in 0..<10 { pool.submit { try await $0.process(x) } }
    results = []
    while pool.hasNext { results.append(try await pool.next()) }
    notebook.check("ten submissions are retrieved in their order", results == squares)

    // A worker that dies is taken out; its work is done by another one.
    try await runtime.kill(workers[3])
    results = []
    for try await result in pool.map(0..<10, { try await $0.process($1) }) { results.append(result) }
    notebook.check("a worker is killed, and no result is missing", results == squares)
}
