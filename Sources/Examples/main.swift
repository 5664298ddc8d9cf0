import DurableActors

distributed actor Account: DurableActor {
    @Checkpointed var balance = 0

    init(_ opening: Int, actorSystem: ActorRuntime) async {
        self.actorSystem = actorSystem
        balance = opening
    }

    distributed func deposit(_ amount: Int) -> Int {
        balance += amount
        return balance
    }
}

let runtime = try await ActorRuntime.start(directory: "bank")
let account = try await runtime.getOrCreate(Account.self, name: "ada", 100)
print("balance:", try await account.deposit(5))
await runtime.shutdown()
