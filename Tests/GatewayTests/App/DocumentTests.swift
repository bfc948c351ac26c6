// Holds the documents to the checkout: files, suites and tests that they name are there. Links and anchors are looked at by
// scripts/check-packaging.

import Foundation
import TestSupport
import Testing

@Suite struct DocumentTests {
    /// Everything under Tests/, as one text, read once.
    private static let tests: String = {
        let folder = "\(Checkout.root)/Tests"
        let paths = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return paths.filter { $0.hasSuffix(".swift") }
            .map { (try? String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8)) ?? "" }  // Gone: its tests too.
            .joined(separator: "\n")
    }()

    private static func read(_ path: String) throws -> String {
        try String(contentsOfFile: "\(Checkout.root)/\(path)", encoding: .utf8)
    }

    /// What stands in code type.
    private static func code(_ text: String) -> [String] {
        text.matches(of: /`([^`\n]+)`/).map { String($0.output.1) }
    }

    private static func isTest(_ sentence: String) -> Bool { tests.contains("func `\(sentence)`(") }

    @Test func `every file and every test of the plan's coverage is there`() throws {
        let names = Self.code(try Self.read("docs/plan-coverage.md"))
        var (files, sentences) = (0, 0)
        for name in names where !name.hasPrefix("-") && !name.hasPrefix("GET ") && !name.hasPrefix("POST ") {
            if name.contains("(") { continue }  // A function of the plan.
            if name.contains(" ") {
                #expect(Self.isTest(name), "no test: \(name)")
                sentences += 1
            } else {
                #expect(FileManager.default.fileExists(atPath: "\(Checkout.root)/\(name)"), "no file: \(name)")
                files += 1
            }
        }
        #expect(files > 30 && sentences > 30)
    }

    @Test func `every suite and every test that the page on security names is there`() throws {
        let text = try Self.read("docs/security.md")
        let suites = Self.code(text).filter { $0.hasSuffix("Tests") && !$0.contains(" ") }
        for suite in suites {
            let name = suite.split(separator: "/").last ?? ""
            #expect(Self.tests.contains("struct \(name)"), "no suite: \(suite)")
        }
        let named = text.matches(of: /Tests` \(([^)]+)\)/).flatMap { $0.output.1.split(separator: "; ") }
        for sentence in named { #expect(Self.isTest(String(sentence)), "no test: \(sentence)") }
        #expect(suites.count > 30 && named.count > 15)
    }
}
