import DurableCore
import Testing

/// The form in which people arm faults.
@Suite struct FaultSpecificationTests {
    @Test func `each point and action can be written and is read back`() {
        for point in FaultPoint.allCases {
            for action in FaultSpecification.Action.allCases {
                for incarnation in [nil, 7] as [UInt64?] {
                    let fault = FaultSpecification(point, occurrence: 3, incarnation: incarnation, action: action)
                    #expect(FaultSpecification("\(fault)") == fault)
                }
            }
        }
        #expect(FaultSpecification("workerAfterCommit:2:kill")?.incarnation == nil)
        #expect(
            "\(FaultSpecification(.workerAfterCommit, incarnation: 2, action: .exit))" == "workerAfterCommit:1@2:exit"
        )
    }

    @Test(arguments: [
        "", "workerAfterCommit", "workerAfterCommit:1", "workerAfterCommit:0:kill", "workerAfterCommit:-1:kill",
        "workerAfterCommit:x:kill", "workerAfterCommit:1@:kill", "workerAfterCommit:1@2@3:kill",
        "workerAfterCommit::kill", "nowhere:1:kill", "workerAfterCommit:1:explode", "workerAfterCommit:1:kill:",
        "workerAfterCommit:1@-2:kill",
    ])
    func `what is no fault is none`(text: String) {
        #expect(FaultSpecification(text) == nil)
    }
}
