// What the reader says of a text, for the JSON tests of this target. Stateless.

import Reactor

enum JSONVerdict {
    /// Nil where the text is JSON.
    static func failure(_ bytes: [UInt8]) -> SyntaxFailure? {
        do throws(JSONFailure) {
            _ = try JSONReader.document(bytes.span.bytes)
            return nil
        } catch {
            guard case .syntax(let failure) = error else { return SyntaxFailure(.notAValue, at: -1) }
            return failure
        }
    }

    static func failure(_ text: String) -> SyntaxFailure? { failure(Array(text.utf8)) }

    static func message(_ text: String) -> String? {
        failure(text).map { JSONFailure.syntax($0).message }
    }

    /// What storage would refuse in a text that must be JSON.
    static func problem(_ text: String) throws -> (JSONStorageProblem, Int) {
        let bytes = Array(text.utf8)
        let value = try JSONReader.document(bytes.span.bytes)
        return (value.problem, Int(value.problemOffset))
    }
}
