// The backend of swift-log, through a pipe.
import Foundation
import Logging
import Testing

@testable import Gateway

@Suite struct LoggingTests {
    /// What `body` logs, line by line.
    private func lines(level: LogLevel, format: LogFormat = .json, _ body: (Logger) -> Void) -> [String] {
        let pipe = Pipe()
        let log = GatewayLog(level: level, format: format, descriptor: pipe.fileHandleForWriting.fileDescriptor)
        body(Logger(label: "test") { _ in log.handler(label: "test") })
        #expect(log.close())
        #expect(log.droppedCount == 0)
        pipe.fileHandleForWriting.closeFile()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        return text.split(separator: "\n").map { String($0) }
    }

    @Test(arguments: LogLevel.allCases)
    func `levels below the configured one are not written`(_ level: LogLevel) {
        let written = lines(level: level) { logger in
            for each in LogLevel.allCases { logger.log(level: each.swiftLogLevel, "x") }
        }
        let expected = LogLevel.allCases.drop { $0 != level }
        #expect(written.count == expected.count)
        for (line, level) in zip(written, expected) { #expect(line.contains("\"level\":\"\(level.rawValue)\"")) }
    }

    @Test func `the event's metadata wins over the logger's`() {
        let written = lines(level: .info) { logger in
            var logger = logger
            logger[metadataKey: "request_id"] = "logger"
            logger[metadataKey: "kept"] = "yes"
            #expect(logger[metadataKey: "kept"] == "yes")
            logger.info("m", metadata: ["request_id": "event"])
        }
        #expect(written.count == 1)
        #expect(written.first?.hasSuffix(#""message":"m","kept":"yes","request_id":"event"}"#) == true)
    }

    @Test func `the text format is chosen by configuration`() {
        let written = lines(level: .info, format: .text) { $0.error("bad") }
        #expect(written.first?.hasSuffix("Z ERROR bad") == true)
    }

    @Test func `dropped lines are told in the format of the others`() {
        let json = String(decoding: GatewayLog.droppedLine(7, .json), as: UTF8.self)
        #expect(json.hasSuffix(#""level":"warning","message":"log lines dropped","dropped":7}"# + "\n"))
        let text = String(decoding: GatewayLog.droppedLine(7, .text), as: UTF8.self)
        #expect(text.hasSuffix("WARNING log lines dropped dropped=7\n"))
    }

    @Test func `level and format come from the configuration`() {
        var configuration = GatewayConfiguration()
        configuration.logLevel = .error
        let pipe = Pipe()
        let log = GatewayLog(configuration, descriptor: pipe.fileHandleForWriting.fileDescriptor)
        #expect(log.handler(label: "x").logLevel == .error)
        #expect(log.handler(label: "x").format == .json)
        #expect(log.close())
    }
}
