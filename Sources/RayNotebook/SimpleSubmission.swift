import DurableActors

/// A running balance.
distributed actor Accounting: DurableActor {
    @Checkpointed var balance = 0

    init(_ arguments: NoArguments, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
    }

    distributed func add(_ amount: Int) { balance += amount }
    distributed func remove(_ amount: Int) { balance -= amount }
    distributed func total() -> Int { balance }
}

/// The activity: a linear model, here from Celsius to Fahrenheit.
distributed actor LinearModel: DurableActor {
    struct Weights: Codable, Sendable {
        var w0: Double
        var w1: Double
    }

    let weights: Weights

    init(_ weights: Weights, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        self.weights = weights
    }

    distributed func convert(_ celsius: Double) -> Double { weights.w1 * celsius + weights.w0 }
}

func simpleSubmission(_ runtime: ActorRuntime, _ notebook: Notebook) async throws {
    notebook.begin("Simple actor submission")
    let accounting = try await runtime.spawn(Accounting.self)

    let reference = accounting.submit { try await $0.total() }
    notebook.check("a new account holds 0", try await reference.value == 0)

    _ = accounting.submit { try await $0.add(100) }
    _ = accounting.submit { try await $0.remove(10) }
    notebook.check("+100 and -10, not waited for, leave 90", try await accounting.total() == 90)

    let model = try await runtime.spawn(LinearModel.self, .init(w0: 32, w1: 9 / 5))
    notebook.check("100 degrees Celsius are 212 Fahrenheit", try await model.convert(100) == 212)
}
