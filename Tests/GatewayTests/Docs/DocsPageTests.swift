// The page that shows the contract, in a real browser without a window. Left out where there is no Chromium.

import Foundation
import TestSupport
import Testing

@testable import Gateway

private enum Browser {
    static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
}

@Suite(.enabled(if: Browser.path != nil, "needs chromium: scripts/install --tests"))
struct DocsPageTests {
    @Test func `the page shows every operation, and opens the one that its address names`() throws {
        let folder = try TemporaryFolder()
        let page = try ChildProcess.run(
            try #require(Browser.path),
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=20000",
                "--user-data-dir=\(folder.path("profile"))", "--dump-dom",
                "http://127.0.0.1:\(Live.shared.port)/docs#heartbeat",
            ], deadlineSeconds: 120
        ).output
        let cards = page.matches(of: /<details class="operation" id="([^"]+)"/).map { String($0.1) }
        let operations = try Contract().operations
        #expect(cards.count == operations.count)
        for operation in operations.values {
            guard let name = operation.value["operationId"] as? String else { continue }
            #expect(cards.contains(name), "\(operation.name)")
        }
        // What is inside is made when it is opened: one is.
        #expect(page.matches(of: /<div class="inside">/).count == 1)
        #expect(page.contains("X-Worker-Token: $WORKER"))
        #expect(page.contains("completed_last_minute"))
    }
}
