import DurableCore
import DurableSupervisor
import Glibc
import Testing

/// What the head node has.
struct MachineResourcesTests {
    private let nowhere = MachineResources.DevicePaths(devices: "/nowhere", driver: "/nowhere")

    private func head(
        _ resources: Resources? = nil,
        variable: String? = nil,
        visible: String? = nil,
        paths: MachineResources.DevicePaths? = nil
    ) throws(ActorError) -> NodeDeclaration {
        try MachineResources.head(resources, variable: variable, visible: visible, paths: paths ?? nowhere)
    }

    /// Why a declaration is refused.
    private func refusal(_ resources: Resources? = nil, variable: String? = nil, visible: String? = nil) -> String? {
        let error = actorError { _ = try head(resources, variable: variable, visible: visible) }
        return error?.code == .invalidArgument ? error?.message : nil
    }

    @Test func `without a declaration it is what the machine has`() throws {
        let node = try head()
        #expect(node.name == "head")
        #expect(node.resources["cpu"].value == Double(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let memory = Double(sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)))
        #expect(node.resources["memory"].value > memory * 0.69)
        #expect(node.resources["memory"].value < memory * 0.71)
        #expect(node.devices.isEmpty)
    }

    @Test func `the configuration comes before the variable, and that before the machine`() throws {
        let node = try head(
            Resources(cpu: 7, custom: ["b": 2]),
            variable: "cpu=3, gpu=2,memory=1000,a=0.5,b=1"
        )
        #expect(node.resources.values == ["cpu": 7, "gpu": 2, "memory": 1000, "a": 0.5, "b": 2])
        #expect(node.devices == ["0", "1"])
    }

    @Test(arguments: [
        "cpu", "cpu=", "cpu=x", "cpu=1=2", "=1,cpu=1", "cpu=-1", "memory=0.5", "gpu=1.5", "a b=1", "cpu=nan",
    ])
    func `a variable that cannot be understood is refused`(text: String) {
        #expect(refusal(variable: text) != nil)
    }

    @Test func `a node's GPUs are whole`() {
        let expected = "a node's gpu is 0.5; allowed are whole numbers up to 1024"
        #expect(refusal(Resources(gpu: 0.5)) == expected)
    }

    @Test func `GPUs are found by their devices, or by the driver's list`() throws {
        let folder = try Folder()
        func make(_ name: String) { close(open("\(folder.path)/\(name)", O_CREAT | O_WRONLY, 0o600)) }
        for name in ["dev", "gpus"] { mkdir("\(folder.path)/\(name)", 0o700) }
        for name in ["nvidia0", "nvidia2", "nvidia10", "nvidiactl", "nvidia-uvm", "null"] { make("dev/\(name)") }
        for name in ["0000:01:00.0", "0000:02:00.0"] { make("gpus/\(name)") }
        let both = MachineResources.DevicePaths(devices: folder.path + "/dev", driver: folder.path + "/gpus")
        #expect(try head(paths: both).devices == ["0", "2", "10"])
        let listed = MachineResources.DevicePaths(devices: "/nowhere", driver: folder.path + "/gpus")
        let node = try head(paths: listed)
        #expect(node.devices == ["0", "1"])
        #expect(node.resources["gpu"].value == 2)
        #expect(try head(Resources(gpu: 1), paths: both).devices == ["0"])
        #expect(try head(Resources(gpu: 4), paths: both).devices == ["0", "1", "2", "3"], "declared, for tests")
        #expect(try head(Resources(gpu: 0), paths: both).devices.isEmpty)
    }

    @Test func `of GPUs that this process may not see none is given away`() throws {
        let visible = "GPU-8932f937, 3"
        #expect(try head(visible: visible).devices == ["GPU-8932f937", "3"])
        #expect(try head(visible: "").devices.isEmpty)
        #expect(try head(Resources(gpu: 1), visible: visible).devices == ["GPU-8932f937"])
        let expected = "the head node is to have 3 gpu, but CUDA_VISIBLE_DEVICES lists 2"
        #expect(refusal(Resources(gpu: 3), visible: visible) == expected)
    }
}
