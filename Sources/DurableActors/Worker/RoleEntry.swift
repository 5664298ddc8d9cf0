internal import DurableCore
internal import DurableProcess
internal import DurableSupervisor
internal import Glibc

/// Called by the C constructor before `main`, in a process that was spawned for a role with a control descriptor.
///
/// Never returns. Linking this module is all that a program has to do for this.
@_cdecl("durable_role_entry")
public func durableRoleEntry(_ role: Int32, _ control: Int32) {
    switch SpawnConfiguration.Role(entryNumber: role) {
    case .supervisor: SupervisorMain.run(control: control)
    case .worker: WorkerMain.run(control: control)
    case nil: exit(WorkerExitCode.broken)
    }
}
