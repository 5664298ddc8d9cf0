internal import ArgumentParser
internal import CBOR
internal import DurableCore
internal import DurableProcess
internal import DurableSupervisor

/// Looks at everything in a data directory.
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check every page, value and reference of a data directory or a backup, also while it is in use.",
        discussion: """
            Nothing is changed. The files are read by a process of its own, so that a file that breaks the reader is a \
            finding like any other. Ends with code 1 when there are findings.
            """
    )

    @Argument(help: ArgumentHelp("The data directory, or a backup.", valueName: "dir"))
    var directory: String

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @Option(help: .hidden)
    var inProcess: Int?

    func run() throws {
        do {
            if let inProcess { return try look(skipping: inProcess) }
            let result = try VerifyRun(directory)
            print(json ? try JSON.text(result.value) + "\n" : result.text, terminator: "")
            if !result.findings.isEmpty { throw ExitCode.failure }
        } catch let code as ExitCode {
            throw code
        } catch {
            throw Failure(error).report()
        }
    }

    private func look(skipping done: Int) throws {
        let verification = Verification(layout: RuntimeLayout(directory: directory))
        try verification.run(
            skipping: done,
            { try Throwaway.say(.looked($0)) },
            begins: { try Throwaway.say(.begins($0)) }
        )
        try Throwaway.say(.finished)
    }
}

/// A directory's verification, done by processes that may die.
struct VerifyRun {
    let directory: DataDirectory
    private(set) var files: [FileReport] = []
    private(set) var findings: [String] = []
    private(set) var notes: [String] = []

    init(_ path: String) throws {
        directory = try DataDirectory(path)
        let progress = ProgressLine()
        defer { progress.clear() }
        // A child that dies has begun at least one file more than the one before it.
        while true {
            var begun: String?
            let ending = try Throwaway.run(["verify", directory.path, "--in-process", "\(files.count)"]) { message in
                switch message {
                case .begins(let path):
                    begun = path
                    progress.show("\(files.count + 1)  \(path)")
                case .looked(let report):
                    files.append(report)
                case .failed, .finished:
                    break
                }
            }
            if case .died(let status, let file) = ending, let path = file ?? begun {
                let how = "the process that read it was ended: \(Self.text(status))"
                files.append(FileReport(path: path, findings: [how]))
                continue
            }
            switch ending {
            case .finished: break
            case .failed(let reason): throw Failure(reason)
            case .died(let status, _): throw Failure("the process that was to look was ended: \(Self.text(status))")
            }
            break
        }
        settle()
    }

    private mutating func settle() {
        for file in files {
            findings += file.findings.map { "\(file.path): \($0)" }
            notes += file.notes.map { "\(file.path): \($0)" }
        }
        // What the registry says counts only when it is sound.
        guard files.first?.findings.isEmpty == true else { return }
        let compared = Verification.compare(RegistryFile.verify(directory.layout.supervisor).records, with: files)
        findings += compared.findings
        notes += compared.notes
        guard Files.exists(directory.manifest) else { return }
        do throws(Failure) {
            findings += try Manifest(in: directory.path).differences(from: directory.path)
        } catch {
            findings.append(error.description)
        }
    }

    private static func text(_ status: ExitStatus) -> String {
        switch status {
        case .exited(let code): "code \(code)"
        case .signalled(let number, _): "signal \(number)"
        case .unknown: "in an unknown way"
        }
    }

    var value: CBORValue {
        .object([
            "directory": .text(directory.path),
            "sound": .bool(findings.isEmpty),
            "findings": .array(findings.map { .text($0) }),
            "notes": .array(notes.map { .text($0) }),
            "files": .array(
                files.map { file in
                    .object([
                        "path": .text(file.path), "findings": CBORValue(file.findings.count),
                        "rows": CBORValue(file.rows), "pagesUsed": CBORValue(file.pagesUsed),
                        "pagesFree": CBORValue(file.pagesFree), "epoch": CBORValue(file.epoch),
                        "version": CBORValue(file.version),
                    ])
                }
            ),
        ])
    }

    var text: String {
        let rows = files.map(\.rows).reduce(0, +)
        let pages = files.map(\.pagesUsed).reduce(0, +)
        // What was found quotes names that the files hold.
        var text = findings.map { "FOUND  \($0.onOneLine)\n" }.joined()
        text += notes.map { "note   \($0.onOneLine)\n" }.joined()
        let verdict = findings.isEmpty ? "sound" : "\(findings.count) findings"
        text += "\(directory.path): \(verdict); \(files.count) files, \(pages) pages, \(rows) rows\n"
        return text
    }
}

/// A line on the terminal that is written over; nothing where nobody watches.
struct ProgressLine {
    func show(_ text: String) {
        if StandardError.isTerminal { StandardError.write("\r\u{1b}[K\(text.onOneLine)") }
    }

    func clear() {
        if StandardError.isTerminal { StandardError.write("\r\u{1b}[K") }
    }
}
