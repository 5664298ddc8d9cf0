package import DurableCore
internal import Glibc

/// What the head node has: what was declared, and for the rest what the machine has.
package enum MachineResources {
    /// The variable that declares resources where the configuration does not, as in `cpu=4,gpu=2,label=1`.
    package static let variable = "DURABLE_NODE_RESOURCES"
    /// The variable that tells programs which GPUs to use.
    package static let visibleDevices = "CUDA_VISIBLE_DEVICES"
    /// The part of the machine's memory that actors can reserve; the rest is for the system and the page cache.
    private static let memoryShare = 0.7

    /// Where GPUs show.
    package struct DevicePaths: Sendable {
        package var devices: String
        package var driver: String

        package init(devices: String = "/dev", driver: String = "/proc/driver/nvidia/gpus") {
            self.devices = devices
            self.driver = driver
        }
    }

    /// The head node, from the configuration, the environment of this process and the machine, in this order.
    /// - Throws: `ActorError` with `invalidArgument`.
    package static func head(
        _ configured: Resources?,
        variable text: String? = value(of: variable),
        visible: String? = value(of: visibleDevices),
        paths: DevicePaths = DevicePaths()
    ) throws(ActorError) -> NodeDeclaration {
        var wanted = configured ?? Resources()
        if let text {
            let declared = try parse(text)
            wanted.cpu = wanted.cpu ?? declared.cpu
            wanted.gpu = wanted.gpu ?? declared.gpu
            wanted.memory = wanted.memory ?? declared.memory
            wanted.custom = declared.custom.merging(wanted.custom) { $1 }
        }
        wanted.cpu = wanted.cpu ?? Double(max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1))
        wanted.memory = wanted.memory ?? memory
        let listed = visible.map { $0.split(separator: ",").map { $0.drop { $0 == " " } }.map(String.init) }
        let found = listed ?? detected(paths)
        let gpu = wanted.gpu ?? Double(found.count)
        wanted.gpu = gpu
        var node = try NodeDeclaration(name: NodeDeclaration.headName, wanted)
        if node.devices.count <= found.count {
            node.devices = Array(found.prefix(node.devices.count))
        } else if let listed {
            throw ActorError(
                .invalidArgument,
                "the head node is to have \(node.devices.count) gpu, but \(visibleDevices) lists \(listed.count)"
            )
        }
        return node
    }

    /// Reads what the variable declares.
    package static func parse(_ text: String) throws(ActorError) -> Resources {
        var resources = Resources()
        for entry in text.split(separator: ",") {
            let parts = entry.split(separator: "=", omittingEmptySubsequences: false)
            let name = trimmed(parts[0])
            guard parts.count == 2, let amount = Double(trimmed(parts[1])), amount.isFinite else {
                let message = "\(variable) has the entry \"\(entry)\"; allowed are name=amount, separated by commas"
                throw ActorError(.invalidArgument, message)
            }
            switch name {
            case ResourceSet.Name.cpu: resources.cpu = amount
            case ResourceSet.Name.gpu: resources.gpu = amount
            case ResourceSet.Name.memory: resources.memory = Int(exactly: amount) ?? -1
            default: resources.custom[name] = amount
            }
        }
        _ = try resources.amounts()
        return resources
    }

    /// The numbers of the machine's GPUs.
    static func detected(_ paths: DevicePaths) -> [String] {
        let numbers = RuntimeDirectory.entries(of: paths.devices).compactMap { name in
            name.hasPrefix("nvidia") ? UInt16(name.dropFirst("nvidia".count)) : nil
        }
        guard numbers.isEmpty else { return numbers.sorted().map(String.init) }
        return RuntimeDirectory.entries(of: paths.driver).indices.map(String.init)
    }

    private static var memory: Int {
        let bytes = Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
        return Int(max(bytes, 0) * memoryShare)
    }

    private static func value(of name: String) -> String? { getenv(name).map { String(cString: $0) } }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
