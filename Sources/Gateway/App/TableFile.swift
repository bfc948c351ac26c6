// A YAML file that holds a table (routes, tiers): its mapping, and all that is wrong with it, each told with its line.
// Pure; whoever reads a table owns one. Limit: the file's size is its reader's.

import Reactor
import Yams

/// What is wrong with a table's file: one line each, with the file's name and the line's number.
struct BadTableFile: Error, Equatable, CustomStringConvertible {
    var problems: [String]

    var description: String { problems.joined(separator: "\n") }

    /// The text of a file.
    /// - Throws: where it cannot be read.
    static func text(at path: String) throws(BadTableFile) -> String {
        do throws(FileError) {
            return String(decoding: try readFile(at: path, bytesMax: GatewayConfiguration.fileBytesMax), as: UTF8.self)
        } catch {
            throw BadTableFile(problems: ["\(path): \(error.description)"])
        }
    }
}

struct TableFile {
    let name: String
    private(set) var problems: [String] = []

    init(name: String) { self.name = name }

    /// Reads the file.
    /// - Returns: nil, and a problem, where it is no mapping.
    mutating func mapping(_ text: String, of what: String) -> Node.Mapping? {
        let root: Node?
        do throws(BadYAML) {
            root = try composeYAML(text)
        } catch {
            complain(error.reason)
            return nil
        }
        guard let root, case .mapping(let mapping) = root else {
            complain("expected a mapping with \(what)")
            return nil
        }
        return mapping
    }

    mutating func complain(_ message: String) { problems.append("\(name): \(message)") }

    mutating func complain(_ node: Node, _ message: String) {
        problems.append("\(name)\(node.mark.map { " line \($0.line)" } ?? ""): \(message)")
    }

    /// - Throws: all that is wrong, if anything is.
    func check() throws(BadTableFile) {
        guard problems.isEmpty else { throw BadTableFile(problems: problems) }
    }

    static func shown(_ node: Node) -> String { node.string ?? "what is no word" }
}

/// Why a text is no YAML, in one line.
struct BadYAML: Error {
    var reason: String
}

func composeYAML(_ text: String) throws(BadYAML) -> Node? {
    do {
        return try Yams.compose(yaml: text)
    } catch {
        throw BadYAML(reason: "not YAML: " + "\(error)".split(whereSeparator: \.isNewline).joined(separator: " "))
    }
}
