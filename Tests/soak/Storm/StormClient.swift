import DurableActors
import DurableChaos

/// One caller of a storm: some calls at a time to actors that its seed chooses, until it is told to stop.
struct StormClient: Sendable {
    /// What is asked between two groups of calls.
    enum Wish: Sendable { case work, rest, stop }

    let name: String
    let actors: [StormActor]
    let witness: StormWitness
    var depth = 8
    /// Whether transfers are made together with other calls. Who may be killed makes them one by one.
    var mixesTransfers = true

    func run(seed: UInt64, wish: @Sendable () -> Wish) async {
        var generator = SeededGenerator(seed: seed)
        while true {
            switch wish() {
            case .stop: return
            case .rest: try? await Task.sleep(for: .milliseconds(5))
            case .work: await work(&generator)
            }
        }
    }

    func work(_ generator: inout SeededGenerator) async {
        var open: [Open] = []
        for _ in 0..<depth {
            let actor = Int.random(in: 0..<StormCast.register, using: &generator)
            let kind = Int.random(in: 0..<10, using: &generator)
            let amount = Int.random(in: -100...100, using: &generator)
            if kind == 0 {
                let floor = witness.invoke(nil, actor).floor
                open.append(
                    Open(stream: nil, actor: actor, floor: floor, ref: actors[actor].submit { try await $0.look() })
                )
            } else if kind < 4, mixesTransfers, StormCast.banks.dropLast().contains(actor) {
                let (stream, other) = ("t\(name)", actors[actor + 1])
                let (number, floor) = witness.invoke(stream, actor)
                let ref = actors[actor].submit { try await $0.transfer(amount, stream, number, to: other) }
                open.append(Open(stream: stream, actor: actor, floor: floor, ref: ref))
            } else {
                let stream = name
                let (number, floor) = witness.invoke(stream, actor)
                let ref = actors[actor].submit { try await $0.note(stream, number) }
                open.append(Open(stream: stream, actor: actor, floor: floor, ref: ref))
            }
        }
        for call in open {
            do {
                witness.answered(call.stream, call.actor, try await call.ref.value, since: call.floor)
            } catch {
                witness.violate("a call of \(name) to \(StormCast.names[call.actor]) failed: \(error)")
            }
        }
    }

    private struct Open {
        var stream: String?
        var actor: Int
        var floor: StormActor.Seen
        var ref: ObjectRef<StormActor.Seen>
    }
}
