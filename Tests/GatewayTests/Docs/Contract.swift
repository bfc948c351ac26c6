// The contract as the gateway serves it, for tests that hold it to the code: openapi.json, read with Foundation. Plain data.

import Foundation
import TestSupport

@testable import Gateway

struct Contract {
    typealias Object = [String: Any]

    struct Operation {
        var name: String
        var path: String
        var value: Object

        /// Statuses that it names; a range (`4XX`) is none.
        var statuses: Set<Int> { Set((value["responses"] as? Object ?? [:]).keys.compactMap { Int($0) }) }
        /// Names of the schemes of each way in.
        var security: Set<Set<String>> {
            Set((value["security"] as? [Object] ?? []).map { Set($0.keys) })
        }
    }

    let root: Object
    /// By method and path.
    let operations: [String: Operation]

    init() throws {
        let json = try JSONSerialization.jsonObject(with: Data(Documents().contractJSON.body))
        guard let root = json as? Object, let paths = root["paths"] as? [String: Object] else {
            throw TestFailure("openapi.json has no paths")
        }
        self.root = root
        var operations: [String: Operation] = [:]
        for (path, item) in paths {
            for (method, value) in item where method != "parameters" {
                guard let value = value as? Object else { throw TestFailure("\(method) \(path) is no operation") }
                let name = "\(method.uppercased()) \(path)"
                operations[name] = Operation(name: name, path: path, value: value)
            }
        }
        self.operations = operations
    }

    /// What a reference stands for; the value itself where it is none.
    func resolve(_ value: Any?) throws -> Object {
        guard let object = value as? Object else { throw TestFailure("\(value ?? "nothing") is no object") }
        guard let reference = object["$ref"] as? String else { return object }
        var at: Any? = root
        for part in reference.dropFirst(2).split(separator: "/") { at = (at as? Object)?[String(part)] }
        guard let found = at as? Object else { throw TestFailure("\(reference) leads nowhere") }
        return found
    }

    /// `error.code` values that an operation's answers of each status may have.
    func codes(of operation: Operation) throws -> [Int: Set<String>] {
        var found: [Int: Set<String>] = [:]
        for (status, response) in operation.value["responses"] as? Object ?? [:] {
            guard let status = Int(status), status >= 400 else { continue }
            let text = String(decoding: try JSONSerialization.data(withJSONObject: resolve(response)), as: UTF8.self)
            let isProblem = text.contains("schemas\\/Problem")
            found[status] = isProblem ? try Self.codes(in: resolve(response)) : []
        }
        return found
    }

    /// The values of `code` in the schema of a response.
    private static func codes(in value: Any) -> Set<String> {
        if let list = value as? [Any] { return list.reduce(into: []) { $0.formUnion(codes(in: $1)) } }
        guard let object = value as? Object else { return [] }
        var found: Set<String> = []
        for (name, member) in object where name != "example" {
            if name == "code", let schema = member as? Object {
                if let only = schema["const"] as? String { found.insert(only) }
                found.formUnion(schema["enum"] as? [String] ?? [])
            } else {
                found.formUnion(codes(in: member))
            }
        }
        return found
    }
}
