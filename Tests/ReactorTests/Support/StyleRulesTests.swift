// The rules of style that a machine can check, run over the checkout's files.
// Each rule lists what breaks it as FILE:LINE, so that a failure can be clicked.

import Foundation
import TestSupport
import Testing

@Suite struct StyleRulesTests {
    private static let lineCountMax = 450
    /// Where the kernel, raw memory and C libraries are touched; everything else works on spans and values.
    private static let unsafeFolders = [
        "Reactor/Loop/", "Reactor/Memory/", "Reactor/Net/", "Reactor/TLS/", "Reactor/Redis/", "Reactor/Postgres/",
        "Reactor/HTTP/", "Reactor/JSON/", "Reactor/Log/", "Reactor/Metrics/", "Reactor/Files/",
    ]

    @Test func `every source file opens with a comment that states its job`() throws {
        let broken = try swiftFiles("Sources").filter { file in
            !(file.lines.first ?? "").hasPrefix("// ") || file.lines.first!.hasPrefix("// swift-tools")
        }
        #expect(broken.map(\.path).isEmpty)
    }

    @Test func `no file is longer than a reader can hold`() throws {
        let broken = try (swiftFiles("Sources") + swiftFiles("Tests")).filter { $0.lines.count > Self.lineCountMax }
        #expect(broken.map { "\($0.path):\($0.lines.count)" }.isEmpty)
    }

    @Test func `Reactor does without Foundation`() throws {
        #expect(try places(in: swiftFiles("Sources/Reactor"), having: #"^\s*(@\w+ )*import Foundation"#).isEmpty)
    }

    @Test func `Gateway does not reach past Reactor`() throws {
        #expect(try places(in: swiftFiles("Sources/Gateway"), having: #"^\s*(@\w+ )*import CReactor"#).isEmpty)
    }

    @Test func `pointers stay where the kernel and the C libraries are touched`() throws {
        let others = try swiftFiles("Sources").filter { file in
            !Self.unsafeFolders.contains { file.path.hasPrefix("Sources/" + $0) }
        }
        #expect(
            try places(
                in: others, having: #"\bUnsafe(Mutable)?(Raw)?(Buffer)?Pointer|withUnsafe(Mutable)?(Bytes|Pointer)"#
            ).isEmpty)
    }

    @Test func `nothing is left to be done later`() throws {
        let rule = "TO" + "DO|FIX" + "ME|XX" + "X:"
        let files = try swiftFiles("Sources") + swiftFiles("Tests") + scripts()
        #expect(try places(in: files, having: rule, areCommentsRead: true).isEmpty)
    }

    @Test func `tests wait for conditions and never sleep`() throws {
        // The one that waits for a condition on a reactor's thread, between looks.
        let waiting = "Tests/ReactorTests/Loop/OnReactor.swift"
        let tests = try swiftFiles("Tests").filter { ![Self.ownPath, waiting].contains($0.path) }
        #expect(try places(in: tests, having: #"\b(u|nano)?sleep\(|Task\.sleep|Thread\.sleep"#).isEmpty)
    }

    @Test func `errors are not swallowed without a word`() throws {
        let files = try swiftFiles("Sources")
        #expect(try places(in: files, having: #"\btry!"#).isEmpty)
        // A reason stands beside it, or on the line above.
        var silent: [String] = []
        for file in files {
            for (index, line) in file.lines.enumerated() where line.contains(/\btry\?/) && !isComment(line) {
                let above = index > 0 ? file.lines[index - 1] : ""
                if !line.contains("//") && !isComment(above) { silent.append("\(file.path):\(index + 1)") }
            }
        }
        #expect(silent.isEmpty)
    }

    @Test func `no path of somebody's machine is written down`() throws {
        let files = try swiftFiles("Sources") + swiftFiles("Tests").filter { $0.path != Self.ownPath } + scripts()
        #expect(
            try places(in: files, having: #"(^|[\s"'=(])/(home|Users|root|work|mnt)/"#, areCommentsRead: true).isEmpty)
    }

    @Test func `unchecked sendability carries its proof`() throws {
        var bare: [String] = []
        for file in try swiftFiles("Sources") {
            for (index, line) in file.lines.enumerated() where line.contains("@unchecked Sendable") && !isComment(line)
            {
                let above = file.lines[max(0, index - 6)..<index]
                if !above.contains(where: isComment) { bare.append("\(file.path):\(index + 1)") }
            }
        }
        #expect(bare.isEmpty)
    }

    private struct SourceFile {
        /// Relative to the checkout.
        let path: String
        let lines: [String]
    }

    /// This file spells out what it forbids.
    private static let ownPath = "Tests/ReactorTests/Support/StyleRulesTests.swift"

    private func isComment(_ line: String) -> Bool { line.trimmingPrefix(while: \.isWhitespace).hasPrefix("//") }

    private func swiftFiles(_ folder: String) throws -> [SourceFile] {
        try files(folder) { $0.hasSuffix(".swift") }
    }

    private func scripts() throws -> [SourceFile] {
        try files("scripts") { !$0.contains("__pycache__") } + files(".ci") { _ in true }
    }

    private func files(_ folder: String, where isWanted: (String) -> Bool) throws -> [SourceFile] {
        let top = "\(Checkout.root)/\(folder)"
        let names = FileManager.default.enumerator(atPath: top)?.allObjects as? [String] ?? []
        var isFolder: ObjCBool = false
        let found = try names.sorted().compactMap { name -> SourceFile? in
            guard isWanted(name), FileManager.default.fileExists(atPath: "\(top)/\(name)", isDirectory: &isFolder),
                !isFolder.boolValue
            else { return nil }
            let text = try String(contentsOfFile: "\(top)/\(name)", encoding: .utf8)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            return SourceFile(path: "\(folder)/\(name)", lines: lines)
        }
        // An empty list would make every rule hold.
        try #require(!found.isEmpty, "no files in \(folder)")
        return found
    }

    /// FILE:LINE of every line that matches.
    private func places(
        in files: [SourceFile], having pattern: String, areCommentsRead: Bool = false
    ) throws -> [String] {
        let expression = try Regex(pattern)
        return files.flatMap { file in
            file.lines.enumerated().compactMap { index, line in
                (areCommentsRead || !isComment(line)) && line.contains(expression) ? "\(file.path):\(index + 1)" : nil
            }
        }
    }
}
